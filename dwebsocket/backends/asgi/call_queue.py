"""Connections of one event loop that have something to send and wait for the loop to look at them.

The loop is woken once for all of them, and takes them in batches: the tasks of one batch have ended
when those of the next are made. Thousands that live at once, or anything else that is made for each
of very many connections, would have the garbage collector look at everything there is, which costs
more than sending.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from contextvars import Context
from typing import Protocol
from weakref import WeakKeyDictionary

from dwebsocket.supervisor import log_failure

__all__ = ["CallQueue", "Flushing", "get_call_queue"]

BATCH = 50


class Flushing(Protocol):
    """What the loop is to look at."""

    def flush(self) -> None:
        """Must be short."""


class CallQueue:
    """Whom a loop is to call soon.

    Attributes:
        context: the context in which ``run`` is called.
    """

    def __init__(self) -> None:
        self.context = Context()
        self._lock = threading.Lock()  # held for an instant
        self._waiting: list[Flushing] = []

    def add(self, one: Flushing) -> bool:
        """Add what ``run`` is to call; whether the loop has to be told to call ``run``. From any
        thread.
        """
        with self._lock:
            self._waiting.append(one)
            return len(self._waiting) == 1

    def run(self, loop: AbstractEventLoop) -> None:
        """Call a batch now, and the rest behind all that the batch has started. In the loop."""
        with self._lock:
            batch = self._waiting[:BATCH]
        try:
            for one in batch:
                flush(one)
        finally:
            with self._lock:
                del self._waiting[: len(batch)]
                more = bool(self._waiting)
            if more:
                loop.call_soon(self.run, loop, context=self.context)


def flush(one: Flushing) -> None:
    try:
        one.flush()
    except Exception:  # those behind it are others
        log_failure("A WebSocket cannot be sent to")


queues: WeakKeyDictionary[AbstractEventLoop, CallQueue] = WeakKeyDictionary()


def get_call_queue(loop: AbstractEventLoop) -> CallQueue:
    """The queue of an event loop, which is running in this thread."""
    queue = queues.get(loop)
    if queue is None:
        queue = queues[loop] = CallQueue()
    return queue
