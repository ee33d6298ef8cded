"""Threads that are started when they are needed, and end when they are not."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

from asgiref.sync import sync_to_async

from dwebsocket.running import database
from dwebsocket.supervisor import keep_running, log_failure, start_thread

__all__ = ["NoThread", "Threads", "in_thread", "settle"]

#: Seconds after which a thread that has nothing to do ends.
IDLE_TIMEOUT = 1.0

Result = TypeVar("Result")
Work = Callable[[], None]

#: All of them, for a forked child.
pools: WeakSet[Threads] = WeakSet()


class NoThread(RuntimeError):
    """None of ours is there, and the system has no further thread; or the interpreter ends."""


class Threads(Executor):
    """Like the standard library's pool; but an idle process has none of its threads, and none of
    them keeps a process from ending.

    Args:
        count: how many there may be.
        patience: seconds after which one that has nothing to do ends.
        keeps_databases: whether what comes next in a thread goes on with the database connections
            of what was there before, because both are of one client.
    """

    def __init__(
        self,
        count: int,
        name: str,
        patience: float = IDLE_TIMEOUT,
        *,
        keeps_databases: bool = False,
    ) -> None:
        self._count = count
        self._name = name
        self._patience = patience
        self._keeps_databases = keeps_databases
        self.start_anew()
        pools.add(self)

    def start_anew(self) -> None:
        """Have no thread and no work: at first, and in a forked child, which has no threads."""
        self._changed = threading.Condition()  # guards what follows
        self._work: deque[Work | None] = deque()
        self._running = self._idle = self._lent = 0

    def submit(
        self, function: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> Future[Result]:
        future: Future[Result] = Future()
        self.start(partial(settle, future, partial(function, *args, **kwargs)))
        return future

    def start(self, work: Work) -> None:
        """Have a thread do this. What it raises is logged.

        Raises:
            NoThread: nobody could do it.
        """
        with self._changed:
            self._work.append(work)
            if len(self._work) <= self._idle:
                self._changed.notify()
                return
            if self._running >= self._count + self._lent:
                return
            self._running += 1
        try:
            self._start_thread()
        except NoThread:
            with self._changed:
                if self._running > self._lent:
                    return  # one of those does it
                self._work.remove(work)
            raise

    @property
    def is_busy(self) -> bool:
        """Whether there is something to do, or being done."""
        return bool(self._work) or self._running > self._idle

    def lend(self) -> None:
        """The running thread, one of these, is going to be busy for long: until ``take_back``
        another one does what it would have done.

        Raises:
            NoThread: somebody needs that one now, and there is none.
        """
        with self._changed:
            self._lent += 1
            needed = len(self._work) > self._idle
            self._running += needed
        if needed:
            try:
                self._start_thread()
            except NoThread:
                self.take_back()
                raise

    def take_back(self) -> None:
        """The end of what ``lend`` has begun."""
        with self._changed:
            self._lent -= 1

    def _start_thread(self) -> None:
        """Start one that is counted already.

        Raises:
            NoThread: the system has none; then it is counted no more.
        """
        try:
            start_thread(self._keep_running, self._name)
        except Exception as error:
            with self._changed:
                self._running -= 1
            raise NoThread(f"{self._name}: {error}") from error

    def dismiss(self) -> None:
        """Have one thread end when it has done what there is to do."""
        with self._changed:
            if self._running:
                self._work.append(None)
                self._changed.notify()

    def _keep_running(self) -> None:
        keep_running(self._run, self._name)
        try:
            database.close_all()
        except Exception:
            log_failure("A database connection cannot be closed")

    def _run(self) -> None:
        while (work := self._take()) is not None:
            touched = database.touched
            try:
                work()
            finally:
                if database.touched != touched and not self._keeps_databases:
                    database.forget_all()

    def _take(self) -> Work | None:
        changed = self._changed
        with changed:
            if self._running > self._count + self._lent:  # it was lent, and others have its place
                self._running -= 1
                return None
            if not self._work:
                self._idle += 1
                changed.wait_for(lambda: self._work, self._patience)
                if changed is not self._changed:  # a greenlet in a forked child, unknown to it:
                    threading.Event().wait()  # its end would be an error
                self._idle -= 1
            work = None
            while work is None and self._work:
                work = self._work.popleft()
            if work is None:
                self._running -= 1
            return work


def settle(future: Future[Result], function: Callable[[], Result]) -> None:
    """Give the future the result of the function."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:
        if future.done():  # the function has seen to that
            raise
        future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


async def in_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Call what may wait, so that the running event loop does not."""
    called: Any = sync_to_async(  # type: ignore[call-overload]  # any executor will do
        function, thread_sensitive=False, executor=waiting
    )
    result: Result = await called(*args)
    return result


#: Those in which coroutines have something done that waits.
MAX_WAITING = 1000

waiting = Threads(MAX_WAITING, "dwebsocket-waiting")


def start_all_anew() -> None:
    """Start all pools anew in a forked child, which has none of their threads."""
    for threads in list(pools):
        threads.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_all_anew)
