"""Threads that are started when they are needed, and end when they are not."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar

from dwebsocket import database

__all__ = ["Threads"]

#: Seconds after which a thread that has nothing to do ends.
IDLE_TIMEOUT = 1.0

Result = TypeVar("Result")
Work = Callable[[], None]


class Threads(Executor):
    """Like the standard library's pool; but an idle process has none of its threads, and none of
    them keeps a process from ending.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)  # a child has none of them

    def _begin(self) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._work: deque[Work] = deque()
        self._running = self._idle = 0

    def submit(
        self, function: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> Future[Result]:
        future: Future[Result] = Future()
        self.start(partial(settle, future, partial(function, *args, **kwargs)))
        return future

    def start(self, work: Work) -> None:
        """Have a thread do this, which must not raise.

        Raises:
            RuntimeError: the system has no further thread, or the interpreter ends.
        """
        with self._changed:
            self._work.append(work)
            if len(self._work) <= self._idle:
                self._changed.notify()
                return
            if self._running >= self._count:
                return
            self._running += 1
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            with self._changed:
                self._running -= 1
            raise

    def _run(self) -> None:
        while (work := self._take()) is not None:
            work()
        database.close_all()

    def _take(self) -> Work | None:
        with self._changed:
            if not self._work:
                self._idle += 1
                self._changed.wait_for(lambda: self._work, IDLE_TIMEOUT)
                self._idle -= 1
            if self._work:
                return self._work.popleft()
            self._running -= 1
            return None


def settle(future: Future[Result], function: Callable[[], Result]) -> None:
    """Give the future its result."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
