"""Who starts another process in the place of this one, once this one has ended: connections that
are to go on have to wait in between.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

__all__ = ["can_restart", "expect", "find_starter", "note_reloader"]

#: Seconds in which a process that is to be started anew begins to end.
SOON = 5.0


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
    return restarts.is_reloaded


def find_starter() -> int | None:
    """The pid of the process that starts another one when this one, which ends now, has ended;
    ``None``: nobody does.
    """
    expected = restarts.expected
    if restarts.is_reloaded and expected is not None and monotonic() - expected < SOON:
        return os.getppid()
    return None


def start_anew() -> None:
    """In a forked child nothing of that is true."""
    global restarts
    restarts = Restarts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
