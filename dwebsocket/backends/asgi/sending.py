"""The sending half, in the event loop: the server gets one event after the other."""

from __future__ import annotations

import asyncio
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.state import Writing
from dwebsocket.running.event_loop import uncancel
from dwebsocket.websocket import BytesLike

from .abort import find_transport
from .connection import AsgiConnection, Event
from .http2 import find_stream
from .queueing import EVENT_COST, QueueingWebSocket, as_event

__all__ = ["SendingWebSocket", "explain"]

LOST = Writing.LOST

#: Codes that every server lets an application send; one refuses all others.
FREE_CODES = range(3000, 5000)


class SendingWebSocket(QueueingWebSocket):
    """Who calls the server's send, one at a time, and for how long."""

    __slots__ = (
        "_busy",
        "_flush_task",
        "_is_closing",
        "_sender",
        "_since",
        "_stalled",
        "_stream",
        "_timer",
        "_turns",
    )

    _busy: bool  # somebody is calling the server's send
    _sender: asyncio.Task[Any] | None  # that is he
    _since: float | None  # when he began, the loop's time
    _stalled: bool  # he was told to give up
    _timer: asyncio.TimerHandle | None

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__(connection)
        self._turns = connection.turns
        self._stream = find_stream(connection)
        self._is_closing = getattr(find_transport(connection.send), "is_closing", None)
        self._busy = self._stalled = False
        self._flush_task: asyncio.Task[None] | None = None
        self._sender = self._since = self._timer = None

    async def asend(self, message: str | BytesLike) -> None:
        if not self._connection.is_in_loop():  # in the loop of async_to_sync(), in a thread
            await super().asend(message)
            return
        event, size = as_event(message)
        if self._state.reading or self._state.writing:
            self._check_open()
        if self._busy or self._outgoing:  # not before those who wait already
            await self._take_turn(event, size)
        else:  # in the caller's own task, whose cancellation hits nobody else
            self._busy = True
            try:
                await self._transmit(event)
            finally:
                self._set_free()
        if self._state.writing == LOST:
            raise self._closed_error()

    async def adrain(self) -> None:
        if not self._connection.is_in_loop():
            return  # what is sent in a thread has waited already
        if self._state.writing:
            await self._wait_for_end()
            return
        # Usually what the caller has just sent, without waiting, and nothing else.
        taken = None if self._busy else self._take_only()
        if taken is not None:
            event, cost = taken
            self._busy = True
            try:
                await self._pass_on(event)
            finally:
                self._count_sent(cost)
                self._set_free()
        elif self._busy or self._outgoing:
            await self._take_turn(None, 0)
        if self._state.writing == LOST:
            raise self._closed_error()

    def _set_free(self) -> None:
        self._busy = False
        if self._outgoing:
            self.start_flush()

    async def _take_turn(self, event: Event | None, size: int) -> None:
        sent = self._connection.loop.create_future()
        if self._put((event, size + EVENT_COST, sent)):
            await sent

    def start_flush(self) -> None:
        self._scheduled = False
        if (self._outgoing or self._leaving) and not self._busy:
            self._busy = True
            self._flush_task = self._connection.loop.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._leaving or self._take_outgoing():
                event, cost, sent = self._leaving.pop()
                if event is not None:
                    await self._pass_on(event)
                self._count_sent(cost)
                if sent is not None and not sent.done():
                    sent.set_result(None)
        finally:
            self._busy = False
            self._flush_task = None

    async def _pass_on(self, event: Event) -> None:
        if event["type"] == "websocket.send":
            await self._transmit(dict(event))  # a group's is everybody's: none may change it
        elif event["type"] == "websocket.accept":
            await self._transmit(event)
            self._begin()
        else:
            await self._prepare_close()
            await self._send_close(event)

    async def _transmit(self, event: Event) -> None:
        """Call the server's send; what goes wrong there is the end of the connection."""
        if self._state.writing == LOST:
            return
        self._since = self._connection.loop.time()
        if self._turns.is_turn_over(self._since):
            await asyncio.sleep(0)
            if self._state.writing == LOST:  # which the loop has found meanwhile
                return
        if self._is_closing is not None and self._is_closing():
            # asyncio tells the server in the loop's next round. Until then it would write on, to
            # nobody, and asyncio would log a warning for each.
            await asyncio.sleep(0)
            if self._state.writing == LOST:
                return
        self._sender = asyncio.current_task()
        if self._timer is None:
            self._watch_time(conf.SEND_TIMEOUT)
        try:
            await self._connection.send(event)
            if self._stream is not None:
                await self._stream.drain()
        except asyncio.CancelledError:
            if not self._stalled:
                raise
            uncancel(self._sender)
        except Exception as error:
            self._since = None
            await self._hear_end()
            self.lose(f"sending failed: {explain(error)}")
        finally:
            self._since = self._sender = None

    async def _send_close(self, event: Event) -> None:
        try:
            await self._connection.send(event)
        except Exception as error:
            if event["code"] == CloseCode.NORMAL_CLOSURE or event["code"] in FREE_CODES:
                self.lose(f"sending failed: {explain(error)}")
                return
            await self._send_close({**event, "code": 3000 + event["code"]})
            return
        self._finish_closing()

    # A peer that does not read

    def _watch_time(self, timeout: float | None) -> None:
        if timeout is not None:
            self._timer = self._connection.loop.call_later(timeout, self._check_time)

    def _check_time(self) -> None:
        """Give up a send that takes too long. One timer lasts for many quick ones."""
        self._timer = None
        timeout = conf.SEND_TIMEOUT
        if self._since is None or timeout is None:
            return
        left = self._since + timeout - self._connection.loop.time()
        if left > 0:
            self._watch_time(left)
        else:
            self.lose(f"the peer did not take the data within {timeout} seconds")

    def _stop_sending(self) -> None:
        """Nothing can be sent any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop_outgoing()
        if self._since is not None and self._sender is not None:
            self._stalled = True
            self._sender.cancel()

    # What the other half does

    def _begin(self) -> None:
        """The connection is accepted: receive."""
        raise NotImplementedError

    async def _hear_end(self) -> None:
        """The server takes no more: let it say why, if it does."""
        raise NotImplementedError

    async def _prepare_close(self) -> None:
        """Our Close is about to leave."""
        raise NotImplementedError

    def _finish_closing(self) -> None:
        """Our Close has left."""
        raise NotImplementedError

    async def _wait_for_end(self) -> None:
        """Wait until the server has nothing more to do with the connection."""
        raise NotImplementedError

    def lose(self, reason: str) -> None:
        """The connection broke."""
        raise NotImplementedError


def explain(error: BaseException) -> str:
    """What went wrong; some errors of servers have no text."""
    return str(error) or type(error).__name__
