"""A WebSocket of an ASGI server: the members of ``request.websocket``, on the parts it has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping

from django.http import HttpRequest

from dwebsocket.backends.calls import Calls
from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.backends.listening import NO_READER, Listener
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed, InvalidState
from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.protocol.frames import check_close
from dwebsocket.protocol.handshake import check_response
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import Reading, Writing
from dwebsocket.websocket import BaseWebSocket, BytesLike, Message, wrong_timeout

from .closing import Closing
from .connection import AsgiConnection, Event
from .events import EVENT_COST, as_event, build_accept
from .inbox import Inbox
from .outbox import MAX_WAITING, Outbox
from .reader import Reader
from .runners import RUNNERS
from .serving import Serving
from .writer import Writer

__all__ = ["CLOSED", "LOST", "AsgiWebSocket"]

CLOSED = Reading.CLOSED
LOST = Writing.LOST


class AsgiWebSocket(BaseWebSocket):
    """Used by the thread of a view, by the calls of a handler, or by coroutines."""

    __slots__ = (
        "_calls",
        "_closing",
        "_connection",
        "_inbox",
        "_knows_end",
        "_outbox",
        "_reader",
        "_serving",
        "_task",
        "_writer",
    )

    _calls: Calls | None  # of a handler
    _knows_end: bool  # see coroutine_end.Owner
    _task: asyncio.Task[None] | None

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__()
        self._read_lock = threading.Lock()
        self._connection = connection
        self._calls = self._task = None
        self._knows_end = False
        self._inbox = self._create_inbox(conf.MAX_MESSAGE_SIZE)
        self._outbox = Outbox(self)
        self._closing = Closing(self, self._outbox)
        self._writer = Writer(self, self._outbox)
        self._reader = self._create_reader()
        self._serving = Serving(self, self._reader, self._writer)

    def _create_inbox(self, max_size: int) -> Inbox:
        return Inbox(self._connection, max_size, max_size + RESERVE)

    def _create_reader(self) -> Reader:
        return Reader(self, self._inbox)

    # The opening handshake

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        check_response(subprotocol, headers.items())
        event = build_accept(subprotocol, headers)
        self._serving.register()
        self._state.open()
        self._outbox.put((event, EVENT_COST, None))

    # Sending, from anywhere

    def send(self, message: str | BytesLike) -> None:
        self._check_open()
        event, size = self._as_event(message)
        self._sent += 1
        outbox = self._outbox
        if self._may_wait():
            outbox.put((event, size + EVENT_COST, None))
            if outbox.cost > MAX_WAITING:
                outbox.wait_for_room()
                self._check_open()
        elif not outbox.put_within_bounds((event, size + EVENT_COST, None)):
            raise self._closed_error()

    def _as_event(self, message: str | BytesLike) -> tuple[Event, int]:
        """What the server gets for a message, and how many bytes it holds."""
        return as_event(message)

    def send_ping(self, payload: bytes) -> None:
        self._check_open()  # the server alone sends Pings, and does so by itself

    def send_nowait(self, message: PreparedMessage) -> None:
        self._sent += 1
        item = message.encoded
        if item is None:
            item = message.encoded = (message.event, message.size + EVENT_COST, None)
        self._outbox.put_within_bounds(item, with_others=True)

    def close_nowait(self, code: int, reason: str) -> None:
        self._closing.close(code, reason)

    def _may_wait(self) -> bool:
        """Whether the caller may block: not in the loop, nor for a handler."""
        return not self._has_listener and not self._connection.is_in_loop()

    def _closed_error(self) -> ConnectionClosed:
        note_end(self)
        return super()._closed_error()

    # Sending, in coroutines

    async def asend(self, message: str | BytesLike) -> None:
        if not self._connection.is_in_loop():  # in the loop of async_to_sync(), in a thread
            await super().asend(message)
            return
        state, writer = self._state, self._writer
        if state.reading or state.writing:
            self._check_open()
        event, size = self._as_event(message)
        self._sent += 1
        if writer.is_busy or self._outbox.items:  # not before those who wait already
            await writer.send_in_turn(event, size)
        else:  # in the caller's own task, whose cancellation hits nobody else
            writer.is_busy = True
            try:
                await writer.transmit(event)
            finally:
                writer.release()
        if state.writing == LOST:
            raise self._closed_error()

    async def adrain(self) -> None:
        if not self._connection.is_in_loop():
            return  # what is sent in a thread has waited already
        state, writer, outbox = self._state, self._writer, self._outbox
        if state.writing:
            await self._closing.wait()
            return
        # Usually what the caller has just sent, without waiting, and nothing else.
        taken = None if writer.is_busy else outbox.take_only()
        if taken is not None:
            event, cost = taken
            writer.is_busy = True
            try:
                await writer.pass_on(event)
            finally:
                outbox.count_sent(cost)
                writer.release()
        elif writer.is_busy or outbox.items:
            await writer.send_in_turn(None, 0)
        if state.writing == LOST:
            raise self._closed_error()

    # Receiving, in threads

    def receive_messages(self, deadline: float | None) -> list[Message]:
        self._reader.want_pump()
        message = self._inbox.take_blocking(deadline)
        if message is None or self._state.reading == CLOSED:
            return []
        return [message, *self._inbox.take_some(RESERVE)]

    def receive_available(self) -> list[Message]:
        self._reader.want_pump()
        # A view that only looks, and reads nothing, does not make room for more of it.
        room = self._inbox.max_size + RESERVE - cost_of(self._ready)
        found = [] if self._state.reading == CLOSED else self._inbox.take_some(room)
        if not (found or self._ready):
            self._inbox.note_asked()
        return found

    def _count_received(self) -> int:
        return self._reader.received

    def _count_waiting(self) -> int:
        return self._outbox.cost

    def _find_address(self) -> str | None:
        client = self._connection.scope.get("client")
        return str(client[0]) if client else None

    def _next(self, timeout: float | None) -> Message | None:
        if self._connection.is_in_loop() and not self._has_listener:
            raise InvalidState(
                "wait() and `for` in an async view would stop the server's event loop: write "
                "`await request.websocket.areceive()` or `async for message in request.websocket`"
            )
        return super()._next(timeout)

    def fileno(self) -> int:
        if not self.accepted or self._serving.is_finished:
            return -1
        self._reader.want_pump()
        return self._inbox.fileno()

    # Receiving, in coroutines

    async def areceive(self, timeout: float | None = None) -> Message | None:
        if not self._connection.is_in_loop():  # in the loop of async_to_sync(), in a thread
            return await super().areceive(timeout)
        try:
            seconds = None if timeout is None or timeout < 0 else timeout
        except TypeError as error:
            raise wrong_timeout(timeout, error) from error
        message = await self._reader.receive_next(seconds)
        if message is None:
            if self._told:
                raise self._closed_error()
            self._told = True
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        receive = self._reader.receive_next if self._connection.is_in_loop() else super().areceive
        while (message := await receive(None)) is not None:
            yield message
        self._told = True

    # Closing

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        note_end(self)
        if self._closing.close(code, reason) and timeout and self._may_wait():
            self._outbox.wait_for(lambda: self._state.writing >= Writing.CLOSE_SENT)
        self._state.stop_reading()  # what has come is not wanted, whoever has closed
        self._ready.clear()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not self._connection.is_in_loop():
            await super().aclose(code, reason)
            return
        code, reason = check_close(code, reason)
        self._check_accepted()
        note_end(self)
        if self._closing.close(code, reason):
            await self._closing.wait()

    # Who uses it

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner:
        return RUNNERS[use](self, self._connection)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._connection.loop

    def _attach_listener(self, listener: Listener) -> Callable[[], None]:
        """Have threads tell ``listener`` what comes, once the returned function is called."""
        listener.calls_anew = False
        self._read_lock = NO_READER
        self._has_listener = True
        return Calls(self, self._connection.start_call, self._inbox, listener).start

    def _finish(self) -> None:
        self._inbox.close_descriptor()
        self._serving.finish()
