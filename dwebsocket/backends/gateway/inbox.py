"""Messages that have come and that nobody has read yet; for threads and for coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple

from dwebsocket.backends.readiness import Readiness
from dwebsocket.protocol.messages import Message
from dwebsocket.running.event_loop import set_done

__all__ = ["Inbox", "Received"]


class Received(NamedTuple):
    """A message, and the number that it is acknowledged by.

    Attributes:
        redelivered: another process may have worked on it.
    """

    message: Message
    number: int
    redelivered: bool


#: Behind the last message.
END: Any = None

#: Of two threads that ask for a descriptor one makes it.
making_descriptor = threading.Lock()


class Inbox:
    """Unread messages: put by whoever leads, taken from any thread, or awaited by a coroutine of
    the process's event loop.
    """

    __slots__ = ("_loop", "_queue", "_readiness", "_waiters")

    def __init__(self) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._readiness: Readiness | None = None  # somebody selects
        self._waiters: deque[asyncio.Future[None]] | None = None  # made when a coroutine waits
        self._loop: asyncio.AbstractEventLoop | None = None

    def put(self, received: Received | None) -> None:
        """Add a message; ``None``: no further one comes. From any thread."""
        self._queue.put(received)
        if self._readiness is not None:
            self._readiness.set()
        if self._waiters:
            self._call(self._wake)

    def _call(self, function: Callable[[], Any]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is closed: the process ends
            pass

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            set_done(waiter)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be taken out, the end neither."""
        return not self._queue.qsize()

    def take(self) -> Received | None:
        """One message, ``None`` when there is none now."""
        try:
            return self._taken(self._queue.get_nowait())
        except Empty:
            return None

    def take_blocking(self, deadline: float | None) -> Received | None:
        """Wait for a message, in a thread; ``None``: no further one comes.

        Raises:
            TimeoutError: the deadline, ``time.monotonic()`` value, passed.
        """
        try:
            if deadline is None:
                received = self._queue.get()
            else:
                received = self._queue.get(timeout=max(0.0, deadline - monotonic()))
        except Empty:
            raise TimeoutError("no message came in time") from None
        return self._taken(received)

    async def wait(self, timeout: float | None) -> None:
        """Wait, in the event loop, until something is to be taken out, or the end is there.

        Raises:
            TimeoutError: nothing came within ``timeout`` seconds.
        """
        loop = self._loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        while self.is_empty:
            if self._waiters is None:
                self._waiters = deque()
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            if not self.is_empty:  # put meanwhile, by somebody who saw nobody wait
                return
            left = None if until is None else max(0.0, until - loop.time())
            await asyncio.wait([waiter], timeout=left)
            if not waiter.done():
                raise TimeoutError(f"no message within {timeout} seconds")

    def _taken(self, received: Received | None) -> Received | None:
        if received is END:
            self._queue.put(END)  # for others who ask
        if self._readiness is not None:
            self._show(self._readiness)
        return received

    # A descriptor for select

    def fileno(self) -> int:
        """A descriptor that is readable while something is to be taken out."""
        with making_descriptor:
            if self._readiness is None:
                self._readiness = Readiness()
                self._show(self._readiness)
        return self._readiness.fileno()

    def close_descriptor(self) -> None:
        """Close the descriptor, if there is one."""
        if self._readiness is not None:
            self._readiness.close()

    def _show(self, readiness: Readiness) -> None:
        if self.is_empty:
            readiness.clear()
        if not self.is_empty:  # now: what has come meanwhile, too
            readiness.set()
