"""Views that left a server whose threads are few: each has a thread of ours, within a bound.

The thread is there before the handshake is accepted, and waits for its view: behind the 101 nobody
could be told that there is none. When the view has ended it waits for another one for a while, for
to start a thread takes as long as a good part of a handshake. To a view it is as new: it gets the
context of whoever needs it, and Django's connection objects of before are gone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from itertools import islice
from time import monotonic
from typing import Protocol

from dwebsocket.backends.room import NoRoom, Shortage
from dwebsocket.conf import conf
from dwebsocket.running import database
from dwebsocket.running.threads import Threads
from dwebsocket.supervisor import spares
from dwebsocket.supervisor import start_thread as start_in_thread

__all__ = [
    "NAME",
    "NoFurtherThread",
    "RunningView",
    "TooManyViews",
    "ViewThread",
    "begin",
    "end",
    "end_idle",
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

#: Seconds that a thread waits for a further view.
PATIENCE = 1.0

#: How many run, or are about to.
running = 0
lock = threading.Lock()  # guards that, and what follows

#: Threads that wait for a further view, the last one is the next that gets one. With those that run
#: they are never more than have run at once.
idle: list[ViewThread] = []


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

    __slots__ = ("_context", "_decided", "_is_over", "_view")

    def __init__(self) -> None:
        self._view: Callable[[], None] | None = None
        self._context: Context | None = None
        self._is_over = False
        self._decided = threading.Lock()
        self._decided.acquire()

    def reserve(self) -> None:
        """Keep the context of the caller, who has this thread from now on."""
        self._context = copy_context()

    def run(self, view: Callable[[], None]) -> None:
        """Run it in the thread. The last thing that is called here."""
        self._view = view
        self._decided.release()

    def dismiss(self) -> None:
        """There is no view for the thread. The last thing that is called here."""
        self._decided.release()

    def end(self) -> None:
        """Let the thread end, which waits for a further view and is not going to get one."""
        self._is_over = True
        self._decided.release()

    def live(self) -> None:
        """What the thread does. A view that raises is its end."""
        self._decided.acquire()
        self._run_view()
        while self._wait():
            self._run_view()

    def _run_view(self) -> None:
        view, context = self._view, self._context
        self._view = self._context = None
        touched = database.touched
        try:
            if view is not None and context is not None:
                context.run(view)
            if database.touched != touched:
                database.forget_all()
        except BaseException:
            count(-1)
            raise
        rest(self)

    def _wait(self) -> bool:
        """Wait for a further view; whether there may be one."""
        if not self._decided.acquire(timeout=PATIENCE):
            with lock:
                if self in idle:
                    idle.remove(self)
                    return False
            self._decided.acquire()  # somebody has just taken it
        threading.current_thread().name = NAME  # if the last one has changed it
        return not self._is_over


def start_thread() -> ViewThread:
    """A thread for a view.

    Raises:
        TooManyViews: as many views run as may.
        NoFurtherThread: the system has none.
    """
    count_one()
    thread = take_idle()
    if thread is None:
        thread = ViewThread()
        with counted():
            # In an empty context: it has another one for each view.
            Context().run(start_in_thread, thread.live, NAME)
    thread.reserve()
    return thread


def rest(thread: ViewThread) -> None:
    """Its view has ended: it waits for another one."""
    global running
    with lock:
        running -= 1
        idle.append(thread)


def take_idle() -> ViewThread | None:
    """A thread that waits for a view, if there is one."""
    with lock:
        return idle.pop() if idle else None


def end_idle() -> None:
    """Let the threads end that wait for a further view."""
    while (thread := take_idle()) is not None:
        thread.end()


spares.append(end_idle)


def lend(threads: Threads) -> None:
    """Have the running thread, one of these, run a view, until ``take_back``.

    Raises:
        TooManyViews, NoFurtherThread: as ``start_thread``.
    """
    count_one()
    with counted():
        threads.lend()


def take_back(threads: Threads) -> None:
    """The end of what ``lend`` has begun."""
    threads.take_back()
    count(-1)


def count_one() -> None:
    """Count one more view.

    Raises:
        TooManyViews: as many run as may.
    """
    limit = conf.VIEW_THREADS
    if count(1) > limit > 0:
        count(-1)
        raise TooManyViews(limit)


@contextmanager
def counted() -> Iterator[None]:
    """Count it no more if no thread for it can be had."""
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
    idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
