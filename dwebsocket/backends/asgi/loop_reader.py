"""The receiving half of a connection that has been taken into the event loop: a coroutine waits for
the protocol itself, with nobody between.
"""

from __future__ import annotations

import asyncio

from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.protocol.state import Reading
from dwebsocket.running.coroutines import release_thread
from dwebsocket.websocket import Message

from .inbox import Inbox
from .loop_protocol import LoopProtocol
from .parts import Owner
from .reader import Reader

__all__ = ["LoopReader"]


class LoopReader(Reader):
    """The protocol reads anyway, and sees the end: it is the pump's business only where threads
    receive, or a coroutine with a time-out.
    """

    __slots__ = ("_taken",)

    def __init__(self, owner: Owner, inbox: Inbox, protocol: LoopProtocol) -> None:
        super().__init__(owner, inbox)
        self._taken = protocol

    async def receive_next(self, timeout: float | None) -> Message | None:
        if timeout is not None or not self._may_pull or self._owner._ready:
            return await self._receive_otherwise(timeout)
        release_thread()
        protocol, state = self._taken, self._state
        if not protocol.messages and not protocol.has_ended:
            self._may_pull = False  # for others, until we have it
            self._puller = asyncio.current_task()
            try:
                await protocol.wait()
            finally:
                self._puller = None
                if self._wants_pump:
                    self.start_pump()
                else:
                    self._may_pull = not state.reading
        if not protocol.messages or state.reading or not self._may_pull:
            return await self._receive_after(timeout)
        self.received += 1
        return protocol.take()

    async def _receive_after(self, timeout: float | None) -> Message | None:
        """Nothing is here for us: the end, or others receive now."""
        event = self._taken.receive_now() if self._may_pull and not self._state.reading else None
        if event is None:
            return await self._receive_otherwise(timeout)
        message = self._unpack(event)
        if message is None:
            note_end(self._owner)
        return message

    def expect_coroutine(self) -> None:
        """Nobody has to look after it."""

    def _dismiss(self) -> None:
        self._may_pull = False
        self._taken.wake()

    def notice_end(self) -> None:
        """The end has come, and nobody has asked for it: have it told to what uses the
        WebSocket.
        """
        if self._state.reading == Reading.OPEN:
            self.start_pump()
