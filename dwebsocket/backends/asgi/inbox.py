"""Messages that have come and that nobody has read yet; for threads and for coroutines."""

from __future__ import annotations

import asyncio
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from dwebsocket.websocket import Message

from .connection import AsgiConnection

__all__ = ["Inbox"]

#: Unread messages beyond these are left to the server, and by it to TCP.
MAX_UNREAD = 64

#: Behind the last message.
END: Any = object()


class Inbox:
    """The loop puts in, anybody takes out."""

    __slots__ = ("_connection", "_max_size", "_messages", "_room", "_size", "_waiters")

    def __init__(self, connection: AsgiConnection, max_size: int) -> None:
        self._connection = connection
        self._max_size = max_size
        self._messages: SimpleQueue[Any] = SimpleQueue()
        self._size = 0  # of what has come since it was last empty
        self._waiters: list[asyncio.Future[bool]] = []  # the first one first
        self._room: asyncio.Future[None] | None = None  # the loop waits until there is room

    # In the loop

    def put(self, message: Message, size: int) -> None:
        """Add a message; for that of one coroutine that waits."""
        self._size = self._size + size if self._messages.qsize() else size
        self._messages.put(message)
        self._wake()

    def close(self) -> None:
        """No further message comes. From any thread."""
        self._messages.put(END)
        self._connection.call(self._wake_all)

    @property
    def is_full(self) -> bool:
        """Whether no more should be received for now."""
        return self._messages.qsize() >= MAX_UNREAD or self._size > self._max_size

    async def wait_for_room(self) -> None:
        """Wait until half of it has been taken out."""
        while self._is_half_full:
            self._room = self._connection.loop.create_future()
            if self._is_half_full:  # still, now that whoever takes one out tells us
                await self._room
        self._room = None

    @property
    def _is_half_full(self) -> bool:
        count = self._messages.qsize()
        return count > MAX_UNREAD // 2 or (count > 0 and self._size > self._max_size)

    async def wait(self, timeout: float | None) -> bool:
        """Wait until something has come; ``False`` when the time is over before."""
        loop = self._connection.loop
        waiter = loop.create_future()
        self._waiters.append(waiter)
        handle = None if timeout is None else loop.call_later(timeout, expire, waiter)
        try:
            in_time: bool = await waiter
            return in_time
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # it was for us, and is for the next one now
            raise
        finally:
            if handle is not None:
                handle.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.pop(0)
            if not waiter.done():
                waiter.set_result(True)
                return

    def _wake_all(self) -> None:
        while self._waiters:
            self._wake()

    # Anywhere

    def take(self) -> Message | None:
        """One message, ``None`` when there is none."""
        try:
            message: Message = self._messages.get_nowait()
        except Empty:
            return None
        return self._taken(message)

    def take_all(self) -> list[Message]:
        """All that is here."""
        messages = []
        while (message := self.take()) is not None:
            messages.append(message)
        return messages

    def take_blocking(self, deadline: float | None) -> Message | None:
        """Wait for a message, in a thread; ``None``: no further one comes.

        Raises:
            TimeoutError: the deadline, ``time.monotonic()`` value, passed.
        """
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
        if room is not None and not room.done():
            self._connection.call(set_done, room)
        if message is END:
            self._messages.put(END)  # for others who ask
            return None
        taken: Message = message
        return taken


def expire(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)


def set_done(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)
