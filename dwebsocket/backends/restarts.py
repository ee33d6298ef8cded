"""Who starts another process in the place of this one, once this one has ended: connections that
are to go on have to wait in between.
"""

from __future__ import annotations

import os
import sys
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
    "get_announced",
    "has_successor",
    "note_announced",
    "note_reloader",
    "note_successor",
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
        announced: when it has told other processes that it serves.
        has_successor: whether another one has done so later.
    """

    def __init__(self) -> None:
        self.is_reloaded = False
        self.expected: float | None = None
        self.announced: float | None = None
        self.has_successor = False


restarts = Restarts()


def note_reloader(**kwargs: Any) -> None:
    """Django's autoreloader runs this process: the receiver of a signal."""
    restarts.is_reloaded = True


def expect() -> None:
    """A file has changed, and this process is going to end, unless it can do without."""
    restarts.expected = monotonic()


def note_announced() -> None:
    """This process tells others that it serves: a script does that runs a server itself."""
    restarts.announced = restarts.announced or monotonic()


def get_announced() -> float | None:
    """When it did, ``time.monotonic()``: those that did so later are there to go on with what it
    has. ``None``: it did not.
    """
    return restarts.announced


def note_successor() -> None:
    """One of those is there."""
    restarts.has_successor = True


def has_successor() -> bool:
    """Whether one was there when this process began to end."""
    return restarts.has_successor


def can_restart() -> bool:
    """Whether there might be another process in the place of this one."""
    if sys.platform == "win32":  # whose processes cannot pass sockets on
        return False
    return bool(restarts.announced) or restarts.is_reloaded or uwsgi_worker.is_run_by_uwsgi()


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
    """Seconds that this process has to end, if there is another one in its place."""
    grace = conf.HANDOVER_TIMEOUT + GRACE
    return min(grace, uwsgi_worker.find_grace()) if uwsgi_worker.is_run_by_uwsgi() else grace


def start_anew() -> None:
    """In a forked child nothing of that is true."""
    global restarts
    restarts = Restarts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
