"""Views that left a server whose threads are few: each has a thread of ours, within a bound.

The thread is there before the handshake is accepted, and waits for its view: behind the 101 nobody
could be told that there is none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from time import monotonic
from typing import Protocol

from dwebsocket.backends.room import NoRoom, Shortage
from dwebsocket.conf import conf
from dwebsocket.running.threads import Threads
from dwebsocket.supervisor import start_thread as start_in_thread

__all__ = [
    "NAME",
    "NoFurtherThread",
    "RunningView",
    "TooManyViews",
    "ViewThread",
    "begin",
    "end",
    "lend",
    "running",
    "start_thread",
    "take_back",
]


class TooManyViews(NoRoom):
    """``WEBSOCKET_VIEW_THREADS`` views are running in this process."""

    def __init__(self, limit: int) -> None:
        abandoned = find_abandoned()
        count = f", {len(abandoned)} of them for clients that have left," * bool(abandoned)
        super().__init__(
            f"This process runs {limit} WebSocket views{count} and takes no more "
            "(WEBSOCKET_VIEW_THREADS). Try again later."
        )
        if abandoned:
            now = monotonic()
            oldest = (f"{view.path[:MAX_PATH]} ({now - view.since:.0f} s)" for view in abandoned)
            self.detail = (
                "Those neither read nor send, nor ask whether they are closed; nobody can end them "
                f"from outside. The oldest: {', '.join(islice(oldest, MAX_NAMED))}"
            )


class NoFurtherThread(Shortage):
    """The system does not let this process start a thread."""

    def __init__(self, error: RuntimeError) -> None:
        super().__init__(
            f"The system gives this process no further thread ({error}; {running} run views). It "
            "takes no more WebSocket views. Raise the limit (ulimit -u, TasksMax= in systemd, the "
            "pids limit of a container). Try again later."
        )


NAME = "dwebsocket-view"

#: How many run, or are about to.
running = 0
lock = threading.Lock()


class RunningView(Protocol):
    """A view that has begun; it counts until it returns."""

    #: The path of its request, and when it began, ``time.monotonic()``.
    path: str
    since: float

    @property
    def is_abandoned(self) -> bool:
        """Whether its connection has ended."""
        ...


#: Those that are running, the oldest first.
views: dict[RunningView, None] = {}

#: How many of them are named in a line of the log, and how much of the path of each.
MAX_NAMED = 3
MAX_PATH = 100


def begin(view: RunningView) -> None:
    """A view begins, in this process."""
    if running:  # in a thread of ours, perhaps
        views[view] = None


def end(view: RunningView) -> None:
    """It has returned, or raised."""
    views.pop(view, None)


def find_abandoned() -> list[RunningView]:
    """The views that go on although their clients have left, the oldest first."""
    return [view for view in list(views) if view.is_abandoned]


class ViewThread:
    """One of the threads that may run views in this process: it waits for the one it is to run."""

    __slots__ = ("_decided", "_view")

    def __init__(self) -> None:
        self._view: Callable[[], None] | None = None
        self._decided = threading.Lock()
        self._decided.acquire()

    def run(self, view: Callable[[], None]) -> None:
        """Run it in the thread. The last thing that is called here."""
        self._view = view
        self._decided.release()

    def dismiss(self) -> None:
        """Let the thread end: there is no view. The last thing that is called here."""
        self._decided.release()

    def live(self) -> None:
        """What the thread does."""
        self._decided.acquire()
        try:
            if self._view is not None:
                self._view()
        finally:
            count(-1)


def start_thread() -> ViewThread:
    """A thread for a view.

    Raises:
        TooManyViews: as many views run as may.
        NoFurtherThread: the system has none.
    """
    thread = ViewThread()
    with counting():
        start_in_thread(thread.live, NAME)
    return thread


def lend(threads: Threads) -> None:
    """Have the running thread, one of these, run a view, until ``take_back``.

    Raises:
        TooManyViews, NoFurtherThread: as ``start_thread``.
    """
    with counting():
        threads.lend()


def take_back(threads: Threads) -> None:
    """The end of what ``lend`` has begun."""
    threads.take_back()
    count(-1)


@contextmanager
def counting() -> Iterator[None]:
    """Count one more view, if a thread for it can be had."""
    limit = conf.VIEW_THREADS
    if count(1) > limit > 0:
        count(-1)
        raise TooManyViews(limit)
    try:
        yield
    except BaseException as error:
        count(-1)
        if not isinstance(error, RuntimeError):  # can't start new thread
            raise
        raise NoFurtherThread(error) from error


def count(change: int) -> int:
    """How many run from now on."""
    global running
    with lock:
        running += change
        return running


def forget() -> None:
    """Forget the parent's views in a forked child, where none of them runs."""
    global running, lock
    running, lock = 0, threading.Lock()
    views.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
