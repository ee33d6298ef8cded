"""Who starts another process in the place of this one, once this one has ended: connections that
are to go on have to wait in between.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic
from typing import Any

from dwebsocket.backends import uwsgi_worker
from dwebsocket.conf import conf

__all__ = [
    "call_when_serving",
    "can_restart",
    "expect",
    "find_grace",
    "find_starter",
    "note_reloader",
]

#: Seconds in which a process that is to be started anew begins to end.
SOON = 5.0

#: Seconds besides ``WEBSOCKET_HANDOVER_TIMEOUT`` that it has to end.
GRACE = 30.0


class Restarts:
    """What is known of this process.

    Attributes:
        is_reloaded: whether Django's autoreloader runs it.
        expected: when that said that it is going to start it anew.
    """

    def __init__(self) -> None:
        self.is_reloaded = False
        self.expected: float | None = None


restarts = Restarts()


def note_reloader(**kwargs: Any) -> None:
    """Django's autoreloader runs this process: the receiver of a signal."""
    restarts.is_reloaded = True


def expect() -> None:
    """A file has changed, and this process is going to end, unless it can do without."""
    restarts.expected = monotonic()


def can_restart() -> bool:
    """Whether somebody might start another process in the place of this one."""
    return restarts.is_reloaded or uwsgi_worker.is_run_by_uwsgi()


def call_when_serving(function: Callable[[], None]) -> None:
    """Call this in each process that serves: where this one does not, in those forked of it."""
    if uwsgi_worker.is_run_by_uwsgi():
        uwsgi_worker.call_when_serving(function)
    else:
        function()


def find_starter() -> int | None:
    """The pid of the process that starts another one when this one, which ends now, has ended;
    ``None``: nobody does.
    """
    expected = restarts.expected
    if restarts.is_reloaded and expected is not None and monotonic() - expected < SOON:
        return os.getppid()
    return uwsgi_worker.find_master()


def find_grace() -> float:
    """Seconds that this process has to end, if another one is started in its place."""
    grace = conf.HANDOVER_TIMEOUT + GRACE
    return min(grace, uwsgi_worker.find_grace()) if uwsgi_worker.is_run_by_uwsgi() else grace


def start_anew() -> None:
    """In a forked child nothing of that is true."""
    global restarts
    restarts = Restarts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
