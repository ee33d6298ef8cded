"""The sending half, in the event loop: the server gets one event after the other."""

from __future__ import annotations

import asyncio
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.state import Writing
from dwebsocket.running.event_loop import uncancel

from .abort import find_transport
from .connection import Event, explain
from .events import EVENT_COST
from .http2 import find_stream
from .outbox import Outbox
from .parts import Owner

__all__ = ["Writer"]

LOST = Writing.LOST

#: Codes that every server lets an application send; one refuses all others.
FREE_CODES = range(3000, 5000)


class Writer:
    """Calls the server's ``send``, once at a time, and sees how long it takes. In the loop only.

    Attributes:
        is_busy: somebody is calling the server's ``send``. Whoever sets it calls ``release``.
        task: sends what waits in the outbox, if something does.
    """

    __slots__ = (
        "_connection",
        "_has_timed_out",
        "_is_closing",
        "_outbox",
        "_owner",
        "_run",
        "_sender",
        "_since",
        "_state",
        "_stream",
        "_timer",
        "_turns",
        "is_busy",
        "task",
    )

    _has_timed_out: bool  # the sender is being cancelled by ourselves
    _sender: asyncio.Task[Any] | None  # calls the server's send
    _since: float | None  # when that began, the loop's time
    _timer: asyncio.TimerHandle | None

    def __init__(self, owner: Owner, outbox: Outbox) -> None:
        connection = owner._connection
        self._owner = owner
        self._connection = connection
        self._state = owner._state
        self._outbox = outbox
        self._run = connection.context.run
        self._turns = connection.turns
        self._stream = find_stream(connection)
        self._is_closing = getattr(find_transport(connection.send), "is_closing", None)
        self.is_busy = self._has_timed_out = False
        self.task: asyncio.Task[None] | None = None
        self._sender = self._since = self._timer = None

    @property
    def is_sending(self) -> bool:
        """Whether the server has an event, and has not taken it yet."""
        return self._sender is not None

    def release(self) -> None:
        """Let others call the server's ``send``."""
        self.is_busy = False
        if self._outbox.items:
            self.start_flush()

    async def send_in_turn(self, event: Event | None, size: int) -> None:
        """Send an event of ``size`` bytes behind all that waits; wait for that."""
        sent = self._connection.loop.create_future()
        if self._outbox.put((event, size + EVENT_COST, sent)):
            await sent

    def flush(self) -> None:
        """``start_flush`` in the connection's context."""
        self._run(self.start_flush)

    def start_flush(self) -> None:
        """Send what waits in the outbox, in a task, unless somebody is sending."""
        outbox = self._outbox
        outbox.is_scheduled = False
        if (outbox.items or outbox.taken) and not self.is_busy:
            self.is_busy = True
            self.task = self._connection.loop.create_task(self._flush())

    async def _flush(self) -> None:
        outbox = self._outbox
        try:
            while outbox.taken or outbox.take():
                event, cost, sent = outbox.taken.pop()
                if event is not None:
                    await self.pass_on(event)
                outbox.count_sent(cost)
                if sent is not None and not sent.done():
                    sent.set_result(None)
        finally:
            self.is_busy = False
            self.task = None

    async def pass_on(self, event: Event) -> None:
        """Send an event that has waited. ``is_busy`` is set."""
        if event["type"] == "websocket.send":
            await self.transmit(dict(event))  # a group's is everybody's: none may change it
        elif event["type"] == "websocket.accept":
            await self.transmit(event)
            self._owner._serving.begin()
        else:
            # One server keeps our Close back while its receive is being called.
            await self._owner._reader.stop_pump()
            await self._send_close(event)

    async def transmit(self, event: Event) -> None:
        """Send an event; a failure of the server ends the connection. ``is_busy`` is set."""
        if self._state.writing == LOST:
            return
        self._since = self._connection.loop.time()
        if self._turns.is_turn_over(self._since) and await self._is_lost_soon():
            return
        # A transport that is closing tells the server so in the loop's next round. Until then the
        # server would write on, to nobody, and asyncio would log a warning for each message.
        if self._is_closing is not None and self._is_closing() and await self._is_lost_soon():
            return
        self._sender = asyncio.current_task()
        if self._timer is None:
            self._start_timer(conf.SEND_TIMEOUT)
        try:
            await self._connection.send(event)
            if self._stream is not None:
                await self._stream.drain()
        except asyncio.CancelledError:
            if not self._has_timed_out:
                raise
            uncancel(self._sender)
        except Exception as error:
            self._since = None
            await self._owner._reader.receive_end()
            self._owner._closing.lose(f"sending failed: {explain(error)}")
        finally:
            self._since = self._sender = None

    async def _is_lost_soon(self) -> bool:
        """Let the loop do one round; whether it has found the connection lost."""
        await asyncio.sleep(0)
        return self._state.writing == LOST

    async def _send_close(self, event: Event) -> None:
        """Send our Close, with 3000 added to its code where the server refuses that."""
        try:
            await self._connection.send(event)
        except Exception as error:
            if event["code"] == CloseCode.NORMAL_CLOSURE or event["code"] in FREE_CODES:
                self._owner._closing.lose(f"sending failed: {explain(error)}")
                return
            await self._send_close({**event, "code": 3000 + event["code"]})
            return
        self._owner._closing.finish()

    # A peer that does not read

    def _start_timer(self, timeout: float | None) -> None:
        if timeout is not None:
            self._timer = self._connection.loop.call_later(timeout, self._check_time)

    def _check_time(self) -> None:
        """End the connection if a send takes too long. One timer lasts for many quick ones."""
        self._timer = None
        timeout = conf.SEND_TIMEOUT
        if self._since is None or timeout is None:
            return
        left = self._since + timeout - self._connection.loop.time()
        if left > 0:
            self._start_timer(left)
        else:
            reason = f"the peer did not take the data within {timeout} seconds"
            self._owner._closing.lose(reason)

    def stop(self) -> None:
        """Drop what waits, and cancel who is calling the server's ``send``."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._outbox.drop()
        if self._since is not None and self._sender is not None:
            self._has_timed_out = True
            self._sender.cancel()
