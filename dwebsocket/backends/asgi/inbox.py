"""Messages that have come and that nobody has read yet; for threads and for coroutines."""

from __future__ import annotations

import asyncio
import threading
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from dwebsocket.backends.readiness import Readiness
from dwebsocket.protocol.budget import cost_of
from dwebsocket.running.event_loop import set_done
from dwebsocket.websocket import Message

from .connection import AsgiConnection

__all__ = ["Inbox", "in_time"]

#: Behind the last message.
END: Any = object()

#: Of two threads that ask for a descriptor one makes it.
making_descriptor = threading.Lock()


class Inbox:
    """Unread messages: put in the loop, taken from any thread, or awaited by a coroutine.

    Args:
        bound: what those that wait may cost before there is room for no more (``budget``).

    Attributes:
        max_size: of a message, in bytes.
    """

    __slots__ = (
        "_asked",
        "_bound",
        "_closed",
        "_connection",
        "_cost",
        "_is_in_hand",
        "_messages",
        "_readiness",
        "_room",
        "_waiters",
        "max_size",
    )

    def __init__(self, connection: AsgiConnection, max_size: int, bound: int) -> None:
        self._connection = connection
        self.max_size = max_size
        self._bound = bound
        self._messages: SimpleQueue[Any] = SimpleQueue()
        self._cost = 0  # of what has come since it was last empty
        self._closed = False  # nobody wants any more
        self._is_in_hand = False  # somebody works on the last message, perhaps
        self._asked: asyncio.Future[None] | None = None  # the loop waits until he has
        self._waiters: list[asyncio.Future[Message | None]] = []  # the first one first
        self._room: asyncio.Future[None] | None = None  # the loop waits until there is room
        self._readiness: Readiness | None = None  # somebody selects

    # In the loop

    def put(self, message: Message) -> bool:
        """Add a message; whether there is room for more."""
        self._is_in_hand = True
        while self._waiters:
            waiter = self._waiters.pop(0)
            if not waiter.done():
                waiter.set_result(message)
                return True
        messages = self._messages
        if not messages.qsize():
            self._cost = 0
        self._cost += cost_of([message])
        messages.put(message)
        if self._readiness is not None:
            self._readiness.set()
        return self._cost < self._bound

    async def wait_for_room(self) -> None:
        """Wait until all has been taken out, or nobody wants any more."""
        while not (self.is_empty or self._closed):
            self._room = self._connection.loop.create_future()
            if not (self.is_empty or self._closed):  # still, now that we are told
                await self._room
        self._room = None

    async def wait_until_asked(self, timeout: float) -> None:
        """Wait until all messages have been worked on: somebody asks for another one, or nobody
        wants any more; at most so many seconds.
        """
        if self._closed or (self.is_empty and not self._is_in_hand):
            return
        self._asked = self._connection.loop.create_future()
        if self._is_in_hand and not self._closed:  # still, now that we are told
            await asyncio.wait([self._asked], timeout=timeout)
        self._asked = None

    def wait(self) -> asyncio.Future[Message | None]:
        """A future of the next message; of ``None`` when no further one comes."""
        self.note_asked()
        waiter: asyncio.Future[Message | None] = self._connection.loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def give_up(self, waiter: asyncio.Future[Message | None]) -> Message | None:
        """Withdraw a future of ``wait``; the message that it got at the last moment."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        return None if waiter.cancelled() or not waiter.done() else waiter.result()

    def close(self) -> None:
        """Mark the end, behind the last message, and wake all who wait. From any thread."""
        self._closed = True
        self._messages.put(END)
        if self._readiness is not None:
            self._readiness.set()
        self._connection.call(self._dismiss)

    def _dismiss(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            set_done(waiter)
        for future in (self._room, self._asked):
            if future is not None:
                set_done(future)

    # Anywhere

    def note_asked(self) -> None:
        """Somebody asks for a message: he has worked on those that he has had."""
        self._is_in_hand = False
        if not self.is_empty:  # meanwhile
            self._is_in_hand = True
            return
        asked = self._asked
        if asked is not None:
            self._connection.call(set_done, asked)

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

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be taken out, the end neither."""
        return not self._messages.qsize()

    def take(self) -> Message | None:
        """One message, ``None`` when there is none."""
        try:
            message: Message = self._messages.get_nowait()
        except Empty:
            self.note_asked()
            return None
        return self._taken(message)

    def take_some(self, room: int) -> list[Message]:
        """The messages that are here, as long as they have cost less than ``room`` (``budget``)."""
        messages = []
        while room > 0 and not self.is_empty and (message := self.take()) is not None:
            messages.append(message)
            room -= cost_of([message])
        return messages

    def take_blocking(self, deadline: float | None) -> Message | None:
        """Wait for a message, in a thread; ``None``: no further one comes.

        Raises:
            TimeoutError: the deadline, ``time.monotonic()`` value, passed.
        """
        if self.is_empty:
            self.note_asked()
        try:
            if deadline is None:
                message = self._messages.get()
            else:
                message = self._messages.get(timeout=max(0.0, deadline - monotonic()))
        except Empty:
            raise TimeoutError("no message came in time") from None
        return self._taken(message)

    def _taken(self, message: Any) -> Message | None:
        room = self._room
        if room is not None and self.is_empty:
            self._connection.call(set_done, room)
        if message is END:
            self._messages.put(END)  # for others who ask
        if self._readiness is not None:
            self._show(self._readiness)
        return None if message is END else message

    def _show(self, readiness: Readiness) -> None:
        if self.is_empty:
            readiness.clear()
        if not self.is_empty:  # now: what has come meanwhile, too
            readiness.set()


async def in_time(waiter: asyncio.Future[Message | None], timeout: float) -> Message | None:
    """The message that is waited for, within ``timeout`` seconds.

    Raises:
        TimeoutError: it has not come in time.
    """
    await asyncio.wait([waiter], timeout=timeout)
    if not waiter.done():
        raise TimeoutError(f"no message within {timeout} seconds")
    return waiter.result()
