"""Connections of one event loop that have something to send and wait for the loop to look at them.

The loop is woken once for all of them, and takes them in batches: the tasks of one batch have ended
when those of the next are made. Thousands that live at once would have the garbage collector look
at everything there is, which costs more than sending.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import Context
from weakref import WeakKeyDictionary

__all__ = ["CallQueue", "get_call_queue"]

BATCH = 50


class CallQueue:
    """What a loop is to call soon; each call must be short and must not raise.

    Attributes:
        context: the context in which ``run`` is called; each call brings its own.
    """

    def __init__(self) -> None:
        self.context = Context()
        self._lock = threading.Lock()  # held for an instant
        self._calls: list[Callable[[], None]] = []

    def add(self, call: Callable[[], None]) -> bool:
        """Have the loop call this; whether it has to be woken, for ``run``. From any thread."""
        with self._lock:
            self._calls.append(call)
            return len(self._calls) == 1

    def run(self, loop: AbstractEventLoop) -> None:
        """In the loop: call a batch, and what is left behind all that the batch has started."""
        with self._lock:
            batch = self._calls[:BATCH]
        for call in batch:
            call()
        with self._lock:
            del self._calls[: len(batch)]
            more = bool(self._calls)
        if more:
            loop.call_soon(self.run, loop, context=self.context)


queues: WeakKeyDictionary[AbstractEventLoop, CallQueue] = WeakKeyDictionary()


def get_call_queue(loop: AbstractEventLoop) -> CallQueue:
    """The queue of an event loop, which is running in this thread."""
    queue = queues.get(loop)
    if queue is None:
        queue = queues[loop] = CallQueue()
    return queue
