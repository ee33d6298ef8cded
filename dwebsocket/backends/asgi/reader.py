"""The receiving half, in the event loop: who calls the server's ``receive``.

A coroutine that waits for a message calls it itself, with nobody between. For all others (threads,
handlers, time-outs, looks at what is here already) a task of ours receives: the pump. It also takes
over, for good, from a coroutine that has not asked for a while, so that the end of a connection is
noticed whatever its view is doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.state import Reading
from dwebsocket.running.coroutines import release_thread
from dwebsocket.running.event_loop import uncancel
from dwebsocket.websocket import Message

from .connection import Event, explain
from .inbox import Inbox, in_time
from .parts import GRACE, Owner

__all__ = ["Reader"]

CLOSED = Reading.CLOSED


class Reader:
    """Receives for coroutines and, through the inbox, for all others. Nearly all of it belongs to
    the event loop.

    Attributes:
        pump: the task that receives for the inbox.
        received: how many messages have come.
        saw_end: the server has said that nothing more comes.
    """

    __slots__ = (
        "_connection",
        "_has_begun",
        "_inbox",
        "_is_dismissed",
        "_max_size",
        "_may_pull",
        "_owner",
        "_protocol",
        "_puller",
        "_state",
        "_turns",
        "_wants_pump",
        "pump",
        "received",
        "saw_end",
    )

    _has_begun: bool  # the server has answered the handshake
    _is_dismissed: bool  # the puller is being cancelled by ourselves
    _may_pull: bool  # the next coroutine may call the server's receive itself
    _puller: asyncio.Task[Any] | None  # which does so now
    _wants_pump: bool  # the pump runs, or will as soon as it can

    def __init__(self, owner: Owner, inbox: Inbox) -> None:
        connection = owner._connection
        self._owner = owner
        self._connection = connection
        self._state = owner._state
        self._protocol = connection.protocol
        self._inbox = inbox
        self._max_size = inbox.max_size
        self._turns = connection.turns
        self._has_begun = self._is_dismissed = self.saw_end = False
        self._may_pull = self._wants_pump = False
        self._puller = None
        self.received = 0
        self.pump: asyncio.Task[None] | None = None

    # For coroutines

    async def receive_next(self, timeout: float | None) -> Message | None:
        """The next message, within ``timeout`` seconds; ``None`` at the end."""
        if timeout is not None or not self._may_pull or self._owner._ready:
            return await self._receive_otherwise(timeout)
        release_thread()
        coming = self._connection.receive()
        if not isinstance(coming, Coroutine):
            # What is no coroutine may lose a message when whoever awaits it is cancelled.
            return await self._wait_for_pump(None, coming)
        self._turns.not_reading.pop(self, None)
        self._may_pull = False
        self._puller = asyncio.current_task()
        try:
            event = await coming
        except BaseException as error:
            self._fail_to_pull(error)
            return None
        finally:
            self._puller = None
            if self._wants_pump:
                self.start_pump()
            else:
                self._may_pull = not self._state.reading
                self._turns.not_reading[self] = self._turns.tick
        message = self._unpack(event)
        if message is None:
            note_end(self._owner)
        elif self._state.reading == CLOSED:  # it came behind our Close, which is on its way
            await asyncio.sleep(0)
            return await self.receive_next(None)
        return message

    def _fail_to_pull(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError) and self._is_dismissed:
            uncancel(self._puller)
        elif isinstance(error, Exception):
            self._owner._closing.lose(f"receiving failed: {explain(error)}")
        else:
            raise error
        note_end(self._owner)

    async def _receive_otherwise(self, timeout: float | None) -> Message | None:
        """There is something already, or the server cannot simply be asked."""
        if not (self._owner._ready or self._state.reading or self._has_begun):
            await self._owner._writer.send_in_turn(None, 0)  # our acceptance is on its way
            if timeout is None and self._may_pull:
                return await self.receive_next(None)
        if self._owner._ready or self._state.reading or not self._inbox.is_empty:
            return self._take_now()
        release_thread()
        return await self._wait_for_pump(timeout)

    def _take_now(self) -> Message | None:
        if self._owner._ready:
            return self._owner._ready.pop()
        message = None if self._state.reading == CLOSED else self._inbox.take()
        if message is None:
            self._owner._check_accepted()
            note_end(self._owner)
        return message

    async def _wait_for_pump(self, timeout: float | None, first: Any = None) -> Message | None:
        """Have the pump hand the next message over; ``first`` as in ``start_pump``."""
        self.start_pump(first)
        waiter = self._inbox.wait()
        try:
            message = await (waiter if timeout is None else in_time(waiter, timeout))
        except BaseException:
            unread = self._inbox.give_up(waiter)
            if unread is not None:
                self._owner._ready.append(unread)
            raise
        if message is None:
            note_end(self._owner)
        return message

    def expect_coroutine(self) -> None:
        """A coroutine begins: start the pump if it does not ask for a message soon."""
        self._turns.not_reading[self] = self._turns.tick

    # For all others

    def want_pump(self) -> None:
        """``start_pump`` from any thread."""
        if not self._wants_pump:
            self._connection.call(self.start_pump)

    def start_pump(self, first: Any = None) -> None:
        """Receive from now on, as soon as the handshake has been answered.

        Args:
            first: an awaitable of the server's ``receive`` that has been called already.
        """
        self._wants_pump, self._may_pull = True, False
        if self._has_begun and not (self._state.reading or self.pump or self._puller):
            self.pump = self._connection.loop.create_task(self._receive_all(first))

    async def _receive_all(self, first: Any) -> None:
        """The pump: receive until the connection has ended."""
        receive, inbox, owner = self._connection.receive, self._inbox, self._owner
        try:
            while True:
                event = await (first or receive())
                is_end = event["type"] != "websocket.receive"
                if is_end and self._protocol is not None and self._protocol.may_answer:
                    await inbox.wait_until_asked(conf.CLOSE_TIMEOUT)
                message = self._unpack(event)
                if message is None:
                    return
                first = None
                if self._state.reading:  # nothing is put behind the end
                    return
                has_room = inbox.put(message)
                if owner._calls is not None:
                    owner._calls.wake()
                if not has_room:
                    await inbox.wait_for_room()
        except Exception as error:
            self._owner._closing.lose(f"receiving failed: {explain(error)}")

    def _unpack(self, event: Event) -> Message | None:
        """The message of an event; ``None`` at the end."""
        if event["type"] != "websocket.receive":
            self.saw_end = True
            if self._protocol is not None:
                self._protocol.answer_end()
            # A Close without a code, or a peer that vanished: servers differ in what they say.
            code = event.get("code") or CloseCode.NO_STATUS_RCVD
            self._owner._closing.stop(code, event.get("reason") or "")
            self._owner._closing.finish()
            return None
        self.received += 1
        text: str | None = event.get("text")
        message = bytes(event.get("bytes") or b"") if text is None else text
        size = len(message) if text is None or text.isascii() else len(text.encode())
        if size <= self._max_size:
            return message
        reason = f"a message of {size} bytes, the limit is {self._max_size}"
        self._owner._closing.close(CloseCode.MESSAGE_TOO_BIG, reason, Reading.CLOSING)
        return None

    def take_in(self, receive_now: Callable[[], Event | None]) -> None:
        """Receive what is here already, without waiting. In the loop."""
        while not self._state.reading and (event := receive_now()) is not None:
            message = self._unpack(event)
            if message is not None and not self._inbox.put(message):
                return

    # The beginning and the end

    def begin(self) -> None:
        """Receive: the handshake has been answered."""
        self._has_begun = True
        if self._wants_pump:
            self.start_pump()
        else:
            self._may_pull = not self._state.reading

    async def receive_end(self) -> None:
        """Give the server ``GRACE`` seconds to say why it takes no more, if it does."""
        if self._has_begun:
            self.start_pump()
            await self._owner._closing.wait(GRACE)

    async def stop_pump(self) -> None:
        """Cancel the pump, and wait until it has ended."""
        if self.pump is not None:
            self.pump.cancel()
            await asyncio.wait([self.pump])

    def stop(self) -> None:
        """Receive no message any more. From any thread."""
        self._inbox.close()
        self._connection.call(self._dismiss)

    def _dismiss(self) -> None:
        """Cancel the coroutine's call of the server's ``receive``."""
        self._may_pull = False
        self._turns.not_reading.pop(self, None)
        if self._puller is not None:
            self._is_dismissed = True
            self._puller.cancel()
