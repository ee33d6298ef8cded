"""What a view can do with a WebSocket, written once for all backends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from reprlib import repr as shorten
from time import monotonic
from typing import Any

from asgiref.sync import sync_to_async
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest

from dwebsocket import http
from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidState
from dwebsocket.groups.survey import join_soon
from dwebsocket.html import AnyTemplate, arender_html, render_html
from dwebsocket.protocol.frames import MAX_CONTROL_SIZE, check_close
from dwebsocket.protocol.messages import BytesLike, Message, as_bytes
from dwebsocket.protocol.state import Reading
from dwebsocket.running import database
from dwebsocket.running.coroutines import borrows_thread
from dwebsocket.running.threads import in_thread

from .primitives import Primitives
from .stamps import take_stamp

__all__ = ["BaseWebSocket", "wrong_timeout"]


OPEN = Reading.OPEN


class BaseWebSocket(Primitives, http.WebSocket):
    """``dwebsocket.http.WebSocket``, written once on the primitives of all backends."""

    __slots__ = ("__dict__", "__weakref__", "_database_seen", "_told", "subprotocol")

    _database_seen: int  # see database.release
    _told: bool  # the view has been told once that no further one will come

    def __init__(self) -> None:
        super().__init__()
        self._told = False
        self._database_seen = -1 if database.opened else 0
        self.subprotocol = None

    # The opening handshake

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if self.accepted:
            raise InvalidState(
                "accept() was called, but the WebSocket is accepted already; call it once, and "
                "only in a view decorated with auto_accept=False"
            )
        if headers is not None and not isinstance(headers, Mapping):
            raise TypeError(
                f"headers is {shorten(headers)}, it must be a dictionary, such as "
                '{"Set-Cookie": "…"}'
            )
        self.accept_connection(subprotocol, headers or {})
        self.subprotocol = subprotocol
        self._state.open()
        self._opened = take_stamp()
        join_soon()
        if self._connection_log is not None:
            self._connection_log.tell_opened()
        if self._on_accept is not None:
            on_accept, self._on_accept = self._on_accept, None
            on_accept()

    def _check_accepted(self) -> None:
        if self._state.reading < OPEN:
            raise InvalidState(
                "the WebSocket is not accepted yet: call request.websocket.accept() first, or "
                "decorate the view without auto_accept=False"
            )

    def _check_open(self) -> None:
        """Raise unless something can be sent."""
        if self._state.reading or self._state.writing:
            self._check_accepted()
            raise self._closed_error()

    # Receiving

    def wait(self, timeout: float | None = None) -> Message | None:
        ready = self._ready
        if ready and not self._has_listener:
            try:
                return ready.pop()
            except IndexError:  # another thread was faster
                pass
        message = self._next(timeout)
        if message is None:
            if self._told:
                raise self._closed_error()
            self._told = True
        return message

    def __iter__(self) -> Iterator[Message]:
        if self._has_listener:
            self._read_lock.acquire()  # it refuses
        return self._iterate()

    def _iterate(self) -> Iterator[Message]:
        while True:
            if self._ready:
                try:
                    message: Message | None = self._ready.pop()
                except IndexError:
                    continue
            else:
                message = self._next(None)
                if message is None:
                    self._told = True
                    return
            yield message  # type: ignore[misc]

    def _next(self, timeout: float | None) -> Message | None:
        """The next message, or ``None`` when the connection is over."""
        if self._state.reading:
            self._check_accepted()
        lock = self._read_lock
        try:
            if timeout is None or timeout < 0:  # -1 meant 'for ever' in earlier releases
                deadline = None
                lock.acquire()
            else:
                deadline = monotonic() + timeout
                if not lock.acquire(timeout=timeout):
                    raise TimeoutError(f"no message within {timeout} seconds")
        except (TypeError, ValueError, OverflowError) as error:
            raise wrong_timeout(timeout, error) from error
        try:
            if self._ready:  # another reader received more than it wanted
                return self._ready.pop()
            messages = None
            if self._database_seen != database.opened:
                messages = self._receive_or_release(deadline)
            if not messages:
                messages = self.receive_messages(deadline)
                if not messages:
                    return None
            if len(messages) == 1:
                return messages[0]
            messages.reverse()
            self._ready = messages
            return messages.pop()
        finally:
            lock.release()

    def _receive_or_release(self, deadline: float | None) -> list[Message]:
        """We may hold database connections: give them back unless a message is here already, or in
        a moment if they may last that long.
        """
        messages = self.receive_available()
        if messages:
            database.look_again()
        elif self._release_connections():
            soon = monotonic() + database.MOMENT
            try:
                return self.receive_messages(soon if deadline is None else min(soon, deadline))
            except TimeoutError:
                if deadline is not None and deadline <= soon:
                    raise
            self._release_connections(at_once=True)
        return messages

    def _release_connections(self, *, at_once: bool = False) -> bool:
        left, self._database_seen = database.release(at_once=at_once)
        return left

    def read(self, fallback: Any = None) -> Any:
        if not self.accepted:
            self._check_accepted()
        if self._has_listener:
            self._read_lock.acquire()  # it refuses
        if not self._ready:
            self._look()
        try:
            return self._ready.pop()
        except IndexError:
            pass
        if self._state.reading:
            if self._told:
                raise self._closed_error()
            self._told = True
        return fallback

    def has_messages(self) -> bool:
        return self.count_messages() > 0

    def count_messages(self) -> int:
        if self.accepted:
            self._look()
        return len(self._ready)

    def _look(self) -> None:
        """Take in what has arrived, unless somebody else is reading and does so anyway."""
        if self._read_lock.acquire(False):
            try:
                messages = self.receive_available()
                messages.reverse()
                self._ready[:0] = messages
            finally:
                self._read_lock.release()

    def wait_json(self, timeout: float | None = None) -> Any:
        message = self.wait(timeout)
        return None if message is None else json.loads(message)

    # Sending

    def _as_bytes(self, message: BytesLike) -> bytes:
        """What ``send()`` was given, and is no text."""
        if message is None and self._state.code is not None:  # wait() has said so
            raise self._closed_error()
        return as_bytes(message)

    def send_json(self, obj: Any) -> None:
        self.send(json.dumps(obj, cls=DjangoJSONEncoder))

    def send_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        *,
        engine: str | None = None,
    ) -> None:
        self.send(render_html(template, context, request, engine))

    def ping(self, data: str | BytesLike = b"") -> None:
        if not isinstance(data, (str, bytes, bytearray, memoryview)):
            raise TypeError(
                f"ping() takes up to {MAX_CONTROL_SIZE} bytes, or text, for the peer to send back, "
                f"not {type(data).__name__}"
            )
        payload = data.encode() if isinstance(data, str) else bytes(data)
        if len(payload) > MAX_CONTROL_SIZE:
            raise ValueError(
                f"a Ping holds at most {MAX_CONTROL_SIZE} bytes, this is {len(payload)}"
            )
        self._check_accepted()
        self.send_ping(payload)

    # Closing

    def close(self, code: int | None = 1000, reason: str | bytes | None = "") -> None:
        code, reason = check_close(code, reason)
        self._check_accepted()
        self.close_connection(code, reason, conf.CLOSE_TIMEOUT)

    disconnect = close

    @property
    def closed(self) -> bool:
        state = self._state
        if state.code is None and state.reading >= OPEN:
            self._look()
        return state.code is not None

    def is_closed(self) -> bool:
        return self.closed

    @property
    def connected(self) -> bool:
        return self.accepted and not self.closed

    @property
    def close_code(self) -> int | None:
        return self._state.code

    @property
    def close_reason(self) -> str | None:
        return self._state.reason

    # Called by upgrade

    def _release_database(self) -> None:
        """Close the database connections of the running thread or greenlet, if it has any."""
        if self._database_seen != database.opened:
            self._release_connections(at_once=True)

    # The async twins

    async def areceive(self, timeout: float | None = None) -> Message | None:
        await self._arelease_database()
        return await in_thread(self.wait, timeout)

    async def _arelease_database(self) -> None:
        """``_release_database`` in the thread that waits for the running task, if there is one."""
        if self._database_seen != database.opened and borrows_thread():
            await sync_to_async(self._release_database)()

    async def asend(self, message: str | BytesLike) -> None:
        await in_thread(self.send, message)

    async def asend_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        *,
        engine: str | None = None,
    ) -> None:
        await self.asend(await arender_html(template, context, request, engine))

    async def adrain(self) -> None:
        pass

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await in_thread(self.close, code, reason)

    async def __aiter__(self) -> AsyncIterator[Message]:
        while (message := await self.areceive()) is not None:
            yield message


def wrong_timeout(timeout: Any, error: Exception) -> Exception:
    """The error to raise for a time-out with which nobody can wait."""
    return type(error)(
        f"timeout is {shorten(timeout)}, it must be a number of seconds; None waits for ever"
    )
