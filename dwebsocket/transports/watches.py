"""What a loop of threads knows of the connections that it watches, and of its threads."""

from __future__ import annotations

import threading

from .base import Watcher, fail_watcher

__all__ = ["Watch", "Worker", "tell_stalled", "tell_writable"]


class Watch:
    """What the loop knows of one connection."""

    __slots__ = ("busy", "fd", "left_out", "more", "reading", "registered", "watcher", "writing")

    def __init__(
        self,
        fd: int,
        watcher: Watcher,
        *,
        reading: bool = True,
        writing: bool = False,
        more: bool = False,
    ) -> None:
        self.fd = fd
        self.watcher = watcher
        self.busy = 0  # the thread in which a call is running; FOUND: one is going to
        # These belong to the holder of the connection's lock.
        self.left_out = False  # until its call is done
        self.more = more  # it is called again even if nothing comes
        self.reading, self.writing = reading, writing
        self.registered = 0  # the events that the poller has been asked for


class Worker:
    """What the loop knows of one of its threads."""

    __slots__ = ("told", "turn", "wakeup", "watch")

    def __init__(self) -> None:
        self.wakeup = threading.Lock()  # released to wake it
        self.wakeup.acquire()
        self.watch: Watch | None = None  # whom it is calling
        self.turn = 0  # counts its calls
        self.told = 0  # the last one that was found to be slow

    @property
    def is_slow(self) -> bool:
        return self.told == self.turn and self.watch is not None


def tell_writable(watch: Watch) -> None:
    """Call ``on_writable``; what it raises is the end of its connection alone."""
    try:
        watch.watcher.on_writable()
    except Exception:
        fail_watcher(watch.watcher)


def tell_stalled(watch: Watch) -> None:
    """Call ``on_stalled``, in the same way."""
    try:
        watch.watcher.on_stalled()
    except Exception:
        fail_watcher(watch.watcher)
