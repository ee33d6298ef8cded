"""The sending half: whoever sends, from wherever, the server gets one event after the other.

Everything here that is not said to be for any thread belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode, build_close
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.websocket import BaseWebSocket, BytesLike, as_bytes

from .connection import AsgiConnection, Event

__all__ = ["SendingWebSocket"]

#: Bytes that may wait in the loop before the thread of a view waits, too.
MAX_WAITING = 65536

#: Codes that every server lets an application send; one refuses all others.
FREE_CODES = range(3000, 5000)

#: An event, if it is not only a place in the queue; its bytes; whom to tell that its turn has come.
Item = tuple[Event | None, int, asyncio.Future[None] | None]

#: How the loop is told that there is something to send.
Wake = Callable[[Callable[[], None]], None]

#: Guards what waits to be sent, of all connections, for an instant.
queueing = threading.Lock()


class SendingWebSocket(BaseWebSocket):
    """What may be sent, and in what order."""

    __slots__ = (
        "_busy",
        "_connection",
        "_flusher",
        "_last",
        "_leaving",
        "_left",
        "_lost",
        "_mute",
        "_outgoing",
        "_room",
        "_scheduled",
        "_sender",
        "_since",
        "_stalled",
        "_timer",
        "_waiting",
    )

    _connection: AsgiConnection

    # These change under ``queueing``.
    _outgoing: list[Item]
    _waiting: int  # bytes there
    _last: bool  # our Close is there, or has left: nothing is added any more
    _left: bool  # that has left, or never will
    _scheduled: bool  # the loop is going to look at it
    _room: threading.Condition | None  # threads wait here for room

    # These belong to the loop.
    _leaving: list[Item]  # taken out of there, the next one last
    _busy: bool  # somebody is calling the server's send
    _sender: asyncio.Task[Any] | None  # that is he
    _since: float | None  # when he began, the loop's time
    _stalled: bool  # he was told to give up
    _timer: asyncio.TimerHandle | None

    _lost: bool  # the connection broke
    _mute: bool  # we have closed: what comes, or has come, is not read any more

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__()
        self._connection = connection
        self._outgoing, self._leaving = [], []
        self._waiting = 0
        self._busy = self._last = self._left = self._lost = self._mute = False
        self._scheduled = self._stalled = False
        self._flusher: asyncio.Task[None] | None = None
        self._sender = self._since = self._timer = self._room = None

    # Sending, for any thread

    def send(self, message: str | BytesLike) -> None:
        event, size = as_event(message)
        self._check_open()
        if self._may_wait():
            self._put(event, size)
            if self._waiting > MAX_WAITING:
                self._wait_for_room()
                self._check_open()
        elif not self._put_within_bounds(event, size):
            raise self._closed_error()

    def send_ping(self, payload: bytes) -> None:
        self._check_open()  # the server alone sends Pings, and does so by itself

    def post(self, message: PreparedMessage) -> None:
        self._put_within_bounds(message.event, message.size, self._connection.call_with_others)

    def post_close(self, code: int, reason: str) -> None:
        self._finish_with(code, reason)

    def _may_wait(self) -> bool:
        """Whether the caller may be made to wait until what it sends has left."""
        return not self._connection.is_in_loop()

    def _check_open(self) -> None:
        if self._over or self._last:
            self._check_accepted()
            raise self._closed_error()

    def _put(
        self,
        event: Event | None,
        size: int,
        sent: asyncio.Future[None] | None = None,
        wake: Wake | None = None,
    ) -> bool:
        """Let it wait for its turn; ``False`` when nothing is sent any more."""
        with queueing:
            if self._last:
                return False
            self._append(event, size, sent)
            if self._scheduled:
                return True
            self._scheduled = True
        (wake or self._connection.call)(self._start_flush)
        return True

    def _may_let_loop_work(self) -> bool:
        """A thread that sends quickly leaves the loop no time to pass anything on: then the reader
        is not slow.
        """
        return not self._last and not self._connection.is_in_loop()

    def _append(self, event: Event | None, size: int, sent: Any = None) -> None:
        self._outgoing.append((event, size, sent))
        self._waiting += size

    def _put_within_bounds(self, event: Event, size: int, wake: Wake | None = None) -> bool:
        bound = conf.MAX_SEND_BUFFER
        if self._waiting > bound and self._may_let_loop_work():
            self._connection.let_loop_work()
        if self._waiting <= bound:
            return self._put(event, size, wake=wake)
        if self._finish_with(*TOO_SLOW):
            count_slow()
        return False

    def _finish_with(self, code: int, reason: str, *, mute: bool = True) -> bool:
        """Nothing is sent behind this Close; whether it is not the second one."""
        build_close(code, reason)  # raises for what may not be sent
        with queueing:
            if self._last or self._over:
                return False
            event = {"type": "websocket.close", "code": int(code), "reason": reason}
            self._append(event, 0)
            self._last, self._mute = True, mute
        if mute:
            self._ready.clear()
        self.stop(code, reason)
        self._connection.call(self._start_flush)
        self._connection.call(self._limit_closing)
        return True

    def _wait_for_room(self) -> None:
        """Wait, in a thread, until less waits. If the peer does not read the loop gives up."""
        self._wait_for(lambda: self._waiting <= MAX_WAITING or self._over)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait, in a thread, for what the loop does; it sees to it that this does not last."""
        with queueing:
            if self._room is None:
                self._room = threading.Condition(queueing)
            self._room.wait_for(condition)

    def _mark_over(self, code: int, reason: str) -> bool:
        """No message is read or sent any more; ``False`` when it was so already."""
        with queueing:
            if self._over:
                return False
            self._over = True
            if self.close_code is None:
                self.close_code, self.close_reason = int(code), reason
        return True

    # Sending, in the loop

    async def asend(self, message: str | BytesLike) -> None:
        event, size = as_event(message)
        if self._over or self._last:
            self._check_open()
        if self._busy or self._outgoing:  # not before those who wait already
            await self._take_turn(event, size)
        else:  # in the caller's own task, whose cancellation hits nobody else
            self._busy = True
            try:
                await self._transmit(event)
            finally:
                self._set_free()
        if self._lost:
            raise self._closed_error()

    async def adrain(self) -> None:
        if self._last:
            await self._wait_for_end()
            return
        # Usually what the caller has just sent, without waiting, and nothing else.
        event = None if self._busy else self._take_only()
        if event is not None:
            self._busy = True
            try:
                await self._transmit(event)
            finally:
                self._set_free()
        elif self._busy or self._outgoing:
            await self._take_turn(None, 0)
        if self._lost:
            raise self._closed_error()

    def _take_only(self) -> Event | None:
        """The message that waits, if there is one and nobody is to be told of it."""
        with queueing:
            if len(self._outgoing) != 1:
                return None
            event, size, sent = self._outgoing[0]
            if event is None or event["type"] != "websocket.send" or sent is not None:
                return None
            self._outgoing.clear()
            self._waiting -= size
        return event

    def _set_free(self) -> None:
        self._busy = False
        if self._outgoing:
            self._start_flush()

    async def _take_turn(self, event: Event | None, size: int) -> None:
        sent = self._connection.loop.create_future()
        if self._put(event, size, sent):
            await sent

    def _start_flush(self) -> None:
        self._scheduled = False
        if (self._outgoing or self._leaving) and not self._busy:
            self._busy = True
            self._flusher = self._connection.loop.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._leaving or self._take_outgoing():
                event, size, sent = self._leaving.pop()
                if event is not None:
                    await self._pass_on(event)
                if size:
                    self._count_sent(size)
                if sent is not None and not sent.done():
                    sent.set_result(None)
        finally:
            self._busy = False
            self._flusher = None

    def _take_outgoing(self) -> bool:
        with queueing:
            self._leaving, self._outgoing = self._outgoing, []
        self._leaving.reverse()
        return bool(self._leaving)

    def _count_sent(self, size: int) -> None:
        with queueing:
            self._waiting -= size
            if self._room is not None:
                self._room.notify_all()

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
        if self._lost:
            return
        loop = self._connection.loop
        self._since = loop.time()
        self._sender = asyncio.current_task()
        if self._timer is None:
            self._watch_time(conf.SEND_TIMEOUT)
        try:
            await self._connection.send(event)
        except asyncio.CancelledError:
            if not self._stalled:
                raise
            uncancel(self._sender)
        except Exception as error:
            self._since = None
            self.lose(f"sending failed: {error or type(error).__name__}")
        finally:
            self._since = self._sender = None

    async def _send_close(self, event: Event) -> None:
        try:
            await self._connection.send(event)
        except Exception as error:
            if event["code"] == CloseCode.NORMAL_CLOSURE or event["code"] in FREE_CODES:
                self.lose(f"sending failed: {error or type(error).__name__}")
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
        with queueing:
            self._last = self._left = True
            outgoing = [*self._leaving, *self._outgoing]
            self._leaving, self._outgoing = [], []
            self._waiting = 0
            if self._room is not None:
                self._room.notify_all()
        for _, _, sent in outgoing:
            if sent is not None and not sent.done():
                sent.set_result(None)
        if self._since is not None and self._sender is not None:
            self._stalled = True
            self._sender.cancel()

    # What the other half does

    def _begin(self) -> None:
        """The connection is accepted: receive."""
        raise NotImplementedError

    async def _prepare_close(self) -> None:
        """Our Close is about to leave."""
        raise NotImplementedError

    def _finish_closing(self) -> None:
        """It has left."""
        raise NotImplementedError

    async def _wait_for_end(self) -> None:
        """Wait until the server has nothing more to do with the connection."""
        raise NotImplementedError

    def _limit_closing(self) -> None:
        """It must leave within a while."""
        raise NotImplementedError

    def stop(self, code: int, reason: str) -> None:
        """No message is read or sent any more. From any thread; idempotent."""
        raise NotImplementedError

    def lose(self, reason: str) -> None:
        """The connection broke."""
        raise NotImplementedError


def as_event(message: str | BytesLike) -> tuple[Event, int]:
    """What the server gets for a message, and about how many bytes it holds."""
    if isinstance(message, str):
        return {"type": "websocket.send", "text": message}, len(message)
    payload = as_bytes(message)
    return {"type": "websocket.send", "bytes": payload}, len(payload)


def uncancel(task: asyncio.Task[Any] | None) -> None:
    """The task was cancelled by ourselves, and goes on (Python 3.11 counts)."""
    if task is not None and hasattr(task, "uncancel"):
        task.uncancel()


def forget_lock() -> None:
    """In a forked child, whose parent may have held it."""
    global queueing
    queueing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)
