"""What has come on a connection in the event loop that is ours, and was not taken out yet: it is
decoded as it comes, within a budget. Beyond that the transport reads no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.messages import Message

from .connection import Event

__all__ = ["Received"]


class Received:
    """Belongs to the event loop. One at a time may wait.

    Args:
        on_more: called when ``connection`` has replies, or has finished, behind what was taken.

    Attributes:
        connection: the protocol.
        end: why nothing comes behind ``messages``; ``None``: more may come.
        is_paused: nothing is read, for too much waits to be taken.
        messages: the oldest first.
        was_taken: something was taken out, of what had been too much; whoever looks resets it.
    """

    __slots__ = (
        *("_cost", "_loop", "_on_more", "_transport", "_waiter"),
        *("connection", "end", "is_paused", "messages", "was_taken"),
    )

    _waiter: asyncio.Future[None] | None  # somebody waits for a message

    def __init__(
        self,
        connection: ServerConnection,
        transport: Any,
        loop: asyncio.AbstractEventLoop,
        on_more: Callable[[], None],
    ) -> None:
        self.connection = connection
        self._transport = transport
        self._loop = loop
        self._on_more = on_more
        self._cost = 0
        self._waiter = None
        self.messages: list[Message] = []
        self.end: tuple[int, str] | None = None
        self.is_paused = self.was_taken = False

    def feed(self, data: bytes) -> None:
        """Decode it, and wake whoever waits."""
        found = self.connection.receive_data(data, len(data), self._cost)
        if found:
            self.messages += found
            if self._waiter is None or len(found) > 1:  # usually it is taken at once
                self._count(found)
            self.wake()
        if self.connection.rest:
            self._pause()

    def _count(self, found: list[Message]) -> None:
        self._cost += cost_of(found)
        if self._cost > self.connection.budget:
            self._pause()

    def stop(self, code: int, reason: str) -> None:
        """Nothing further comes: the first reason counts."""
        if self.end is None:
            self.end = code, reason
            self.wake()

    # Taking out

    async def wait(self) -> None:
        """Wait for a message or for the end, or until ``wake`` is called."""
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None

    def wake(self) -> None:
        """Let whoever waits look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def take(self) -> Message:
        """A message that is there."""
        message = self.messages.pop(0)
        if self._cost:
            self._give_back(message)
        return message

    def take_event(self) -> Event | None:
        """The next message as an event, or the end, as often as somebody asks; ``None``: there is
        neither.
        """
        if self.messages:
            message = self.take()
            kind = "text" if isinstance(message, str) else "bytes"
            return {"type": "websocket.receive", kind: message}
        if self.end is None:
            return None
        code, reason = self.end
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    # Not more than there is room for

    def _give_back(self, message: Message) -> None:
        """A message that was counted has been taken: go on where there was no room."""
        self._cost = self._cost - cost_of([message]) if self.messages else 0
        connection = self.connection
        self.was_taken = True
        if not self.is_paused or self._cost > RESERVE:
            return
        if connection.rest:
            found = connection.receive_rest(self._cost)
            self.messages += found
            self._cost += cost_of(found)
            self._on_more()
        if not connection.rest and self._cost <= RESERVE and self.end is None:
            self.resume()

    def _pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again, if nothing was read."""
        if self.is_paused:
            self.is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
