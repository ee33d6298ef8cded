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
        self._taken = protocol.received

    async def receive_next(self, timeout: float | None) -> Message | None:
        if timeout is not None or not self._may_pull or self._owner._ready:
            return await self._receive_otherwise(timeout)
        release_thread()
        received, state = self._taken, self._state
        if not received.messages and received.end is None:
            self._may_pull = False  # for others, until we have it
            self._puller = asyncio.current_task()
            try:
                await received.wait()
            finally:
                self._puller = None
                if self._wants_pump:
                    self.start_pump()
                else:
                    self._may_pull = not state.reading
        if not received.messages or state.reading or not self._may_pull:
            return await self._receive_after(timeout)
        self.received += 1
        return received.take()

    async def _receive_after(self, timeout: float | None) -> Message | None:
        """Nothing is here for us: the end, or others receive now."""
        event = self._taken.take_event() if self._may_pull and not self._state.reading else None
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
        if self._state.reading != Reading.OPEN:
            return
        assert self._protocol is not None
        if self._protocol.may_answer:
            self.start_pump()  # which waits until what came before has been worked on
        else:
            self._take_all()

    def _take_all(self) -> None:
        """Put all that has come into the inbox, whether there is room or not: it is here anyway."""
        while not self._state.reading and (event := self._taken.take_event()) is not None:
            message = self._unpack(event)
            if message is not None:
                self._inbox.put(message)
                if self._owner._calls is not None:
                    self._owner._calls.wake()
