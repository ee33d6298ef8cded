"""A WebSocket whose socket is in the front: the members of ``request.websocket``."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from time import monotonic
from typing import Any

from django.http import HttpRequest

from dwebsocket.backends import live
from dwebsocket.backends.calls import Calls
from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.backends.listening import NO_READER, Listener
from dwebsocket.backends.room import check_room
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.protocol.frames import CloseCode, build_close, check_close
from dwebsocket.protocol.handshake import check_response
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import Reading
from dwebsocket.running.coroutines import release_thread
from dwebsocket.running.event_loop import call_in_loop, is_in_event_loop, set_done
from dwebsocket.websocket import BaseWebSocket, BytesLike, Message, wrong_timeout

from .flow import CREDIT_STEP, Flow
from .loop import is_loop
from .runners import create_runner
from .serving import Serving
from .telling import OwnThread
from .wire import Kind, pack_json

__all__ = ["GatewayWebSocket", "forget"]

CLOSED = Reading.CLOSED

#: Bytes that may wait for a client while the view goes on; beyond, it is made to wait.
MAX_WAITING = 65536

#: What the front, and the system's buffers, may hold besides WEBSOCKET_MAX_SEND_BUFFER.
IN_BETWEEN = 1 << 20

#: The WebSockets that are open in this process.
websockets: set[GatewayWebSocket] = set()
live.sources.append(lambda: list(websockets))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=websockets.clear)  # they are the parent's


def as_body(message: PreparedMessage) -> tuple[Kind, bytes]:
    """A group's message, encoded once for all connections."""
    content: Any = message.event.get("text")
    if content is None:
        content = message.event["bytes"]
        return Kind.BINARY, content
    return Kind.TEXT, content.encode()


def forget(websocket: GatewayWebSocket) -> None:
    """It is not open any more, or not in this process."""
    websockets.discard(websocket)


class GatewayWebSocket(BaseWebSocket):
    """Used by the thread of a view, by the calls of a handler, or by coroutines."""

    __slots__ = (
        "_calls",
        "_done",
        "_flow",
        "_knows_end",
        "_may_answer",
        "_serving",
        "_task",
        "_thread",
    )

    _calls: Calls | None  # of a handler, once it is open
    _thread: OwnThread | None  # instead, if it has one
    _done: asyncio.Future[None] | None  # of a coroutine: the connection has ended
    _may_answer: bool  # the client has begun the closing handshake, and waits
    _knows_end: bool  # see coroutine_end.Owner
    _task: asyncio.Task[None] | None

    def __init__(self, flow: Flow, serving: Serving) -> None:
        super().__init__()
        self._read_lock = threading.Lock()
        self._flow = flow
        self._serving = serving
        self._calls = self._done = self._task = self._thread = None
        self._knows_end = self._may_answer = False
        if flow.is_resumed:
            self._kept_state = flow.content.get("state") or {}
            self._kept_messages = flow.before

    @property
    def _redelivered(self) -> bool:
        """Whether a process that was killed may have worked on the present message already."""
        return self._flow.taken <= self._flow.redelivered

    # The opening handshake

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner | None:
        return create_runner(self, self._serving, request, use, accepts=accepts)

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        check_response(subprotocol, headers.items())
        check_room(len(websockets))
        websockets.add(self)
        self._state.open()
        answer = {
            "subprotocol": subprotocol,
            "headers": list(headers.items()),
            "user": self._serving.user,
            "handler": self._serving.is_handler,
        }
        self._flow.user = self
        self._flow.send(Kind.ACCEPT, pack_json(answer))
        if self._flow.closing is not None:  # it ends already
            code, reason, may_answer = self._flow.closing
            self._note_end(code, reason, may_answer=may_answer)

    # What the front says, told by whoever leads

    def _note_end(self, code: int, reason: str, *, may_answer: bool) -> None:
        """No further message comes; nothing can be sent any more, unless answers may be."""
        self.end(code, reason)
        self._may_answer = may_answer
        self._state.stop_reading(Reading.CLOSING)
        if not may_answer:
            self._state.lose()
            websockets.discard(self)
        self._flow.inbox.close()
        self._flow.inbox.wake()
        if self._done is not None:
            call_in_loop(self._done.get_loop(), set_done, self._done)

    # Sending

    def send(self, message: str | BytesLike) -> None:
        if isinstance(message, str):
            kind, body = Kind.TEXT, message.encode()
        else:
            kind, body = Kind.BINARY, self._as_bytes(message)
        self._check_may_send()
        if self._flow.waiting > MAX_WAITING:
            self._pace()
        self._sent += 1
        self._flow.send(kind, body)

    def send_ping(self, payload: bytes) -> None:
        self._check_may_send()
        self._flow.send(Kind.PING, payload)

    def send_nowait(self, message: PreparedMessage) -> None:
        self._sent += 1
        if self._state.reading or self._state.writing:
            return
        if message.encoded is None:
            message.encoded = as_body(message)
        if self._check_bound():
            self._flow.send(*message.encoded)

    def _check_may_send(self) -> None:
        state = self._state
        if state.writing or (state.reading and not self._may_answer):
            self._check_accepted()
            raise self._closed_error()

    def _pace(self) -> None:
        """Have a view wait until the client has taken something; others may not wait."""
        if self._has_listener or is_in_event_loop():
            if not self._check_bound():
                raise self._closed_error()
        elif not self._flow.wait_for_room(MAX_WAITING, conf.SEND_TIMEOUT):
            self._lose(f"the peer did not take the data within {conf.SEND_TIMEOUT} seconds")
            raise self._closed_error()

    def _check_bound(self) -> bool:
        """Close the connection if more waits than may: the front is slow, or the client. Whether
        it goes on.
        """
        if self._flow.waiting <= conf.MAX_SEND_BUFFER + IN_BETWEEN:
            return True
        if not self._state.writing:
            count_slow()
            self.close_nowait(*TOO_SLOW)
        return False

    def _closed_error(self) -> ConnectionClosed:
        note_end(self)
        return super()._closed_error()

    # Receiving, in threads

    def _take_blocking(self, deadline: float | None = None) -> Message | None:
        flow = self._flow
        while self._state.reading != CLOSED:
            message = flow.take()
            if message is not None or flow.is_at_end:
                return message
            flow.inbox.wait(deadline)
        return None

    def receive_messages(self, deadline: float | None) -> list[Message]:
        self._flow.note_worked_on()  # whoever asks for more has worked on what he has
        message = self._take_blocking(deadline)
        if message is None:
            self._end_answers()
            return []
        return [message]

    def receive_available(self) -> list[Message]:
        messages: list[Message] = []
        # A view that only looks, and reads nothing, does not make room for more of it.
        room = conf.MAX_MESSAGE_SIZE + RESERVE - cost_of(self._ready)
        while room > 0 and self._state.reading != CLOSED:
            message = self._flow.take()
            if message is None:
                break
            messages.append(message)
            room -= cost_of(messages[-1:])
        return messages

    def _count_received(self) -> int:
        return self._flow.received

    def _count_waiting(self) -> int:
        waiting = self._flow.waiting
        return waiting if waiting > CREDIT_STEP else 0  # the front does not say it of each

    def _find_address(self) -> str | None:
        address: str | None = self._serving.environ.get("REMOTE_ADDR")
        return address

    def fileno(self) -> int:
        return self._flow.inbox.fileno() if self.accepted and not self._flow.is_over else -1

    # Receiving, in coroutines

    def _is_in_loop(self) -> bool:
        return is_in_event_loop() and is_loop(asyncio.get_running_loop())

    async def areceive(self, timeout: float | None = None) -> Message | None:
        if not self._is_in_loop():  # in the loop of async_to_sync(), in a thread
            return await super().areceive(timeout)
        try:
            deadline = None if timeout is None or timeout < 0 else monotonic() + timeout
        except TypeError as error:
            raise wrong_timeout(timeout, error) from error
        message = await self._receive_next(deadline)
        if message is None:
            if self._told:
                raise self._closed_error()
            self._told = True
        return message

    async def _receive_next(self, deadline: float | None) -> Message | None:
        self._check_accepted()
        if self._ready:
            return self._ready.pop()
        flow = self._flow
        flow.note_worked_on()
        if flow.inbox.is_empty:
            release_thread()
            await self._arelease_database()
        message = None
        while self._state.reading != CLOSED:
            await self._serving.wait_for_message(deadline)
            message = flow.take()
            if message is not None or flow.is_at_end:
                break
        if message is None:
            self._end_answers()
            note_end(self)
        return message

    def _end_answers(self) -> None:
        """All that came before the client's Close has been answered."""
        if self._may_answer:
            self._may_answer = False
            self._flow.acknowledge()

    async def __aiter__(self) -> AsyncIterator[Message]:
        receive = self._receive_next if self._is_in_loop() else super().areceive
        while (message := await receive(None)) is not None:
            yield message
        self._told = True

    @property
    def _loop(self) -> asyncio.AbstractEventLoop | None:
        return self._serving.loop

    async def _run_watched(self, run: Callable[[], Any]) -> None:
        """Run a coroutine that may wait for something else while its client leaves."""
        await self._serving.run_watched(self, run)

    # Closing

    def close_nowait(self, code: int, reason: str) -> None:
        self._close(code, reason)

    def _close(self, code: int, reason: str) -> None:
        """Have the front close, unless somebody has."""
        build_close(code, reason)  # it raises if they may not be sent
        first = self.end(code, reason) or self._may_answer
        if self._state.writing or not first:
            return
        self._state.send_close()
        self._flow.close(code, reason)
        self._state.stop_reading()
        self._flow.inbox.close()
        self._flow.inbox.wake()

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        note_end(self)
        self._flow.note_worked_on()
        self._close(code, reason)
        if timeout and not self._has_listener and not is_in_event_loop():
            self._flow.wait_until_over(timeout)
        self._state.stop_reading()  # what has come is not wanted, whoever has closed
        self._ready.clear()
        self._flow.inbox.clear()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not self._is_in_loop():
            await super().aclose(code, reason)
            return
        code, reason = check_close(code, reason)
        self._check_accepted()
        note_end(self)
        self.close_connection(code, reason, timeout=0)

    def _lose(self, reason: str) -> None:
        """Hang up."""
        self._flow.send(Kind.ABORT)
        self._note_end(CloseCode.ABNORMAL_CLOSURE, reason, may_answer=False)

    def _finish(self) -> None:
        self._flow.inbox.close_descriptor()
        if not self._flow.is_over:
            self._flow.acknowledge()

    # For a handler

    def _attach_listener(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` told what comes, once the returned function is called."""
        calls = self._calls = Calls(self, self._serving.leader.call, self._flow, listener)

        def start() -> None:  # what comes before that waits
            self._flow.inbox.on_put = calls.wake
            calls.start()

        return self._listen(start)

    def _attach_thread(self, thread: OwnThread) -> Callable[[], None]:
        """The same, in a thread that the listener has to itself."""
        self._thread = thread
        return self._listen(thread.start)

    def _listen(self, start: Callable[[], None]) -> Callable[[], None]:
        self._read_lock = NO_READER
        self._has_listener = True
        return start

    def _freeze(self) -> bool:
        """Let nothing further be called or done: another process is going to go on. Whether
        nothing is.
        """
        if not self._has_listener:
            return self._serving.freeze()
        if self._calls is None:
            return self._thread is not None and self._thread.freeze()
        is_open = self._flow.inbox.on_put is not None
        self._calls.pause()
        return is_open and self._calls.is_still

    def _set_reading(self, on: bool) -> None:
        if self._calls is not None:
            self._calls.go_on() if on else self._calls.pause()

    def _fail(self) -> None:
        self.close_connection(CloseCode.INTERNAL_ERROR, "", timeout=0)
