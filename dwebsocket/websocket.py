"""``request.websocket``: what a view can do with a WebSocket, written once for all backends."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from asgiref.sync import sync_to_async
from django.core.serializers.json import DjangoJSONEncoder

from dwebsocket import groups
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed, InvalidState
from dwebsocket.protocol.frames import MAX_CONTROL_SIZE, MAX_REASON_SIZE
from dwebsocket.protocol.messages import BytesLike, Message, as_bytes
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import ConnectionState, Reading
from dwebsocket.running import database
from dwebsocket.running.coroutines import borrows_thread
from dwebsocket.running.threads import in_thread

if TYPE_CHECKING:
    from django.http import HttpRequest

    from dwebsocket.backends.runner import Runner, Use

__all__ = ["BaseWebSocket", "BytesLike", "Message", "WebSocket", "as_bytes", "check_reason"]


OPEN = Reading.OPEN

#: Guards the decision of all connections for an instant.
ending = threading.Lock()


class ConnectionLog(Protocol):
    """What is said of a WebSocket in the log."""

    def tell_opened(self) -> None: ...
    def tell_ended(self, websocket: BaseWebSocket) -> None: ...


class BaseWebSocket:
    """A WebSocket in a view.

    A backend fills in the primitives (``accept_connection``, ``receive_messages``,
    ``receive_available``, ``send``, ``send_ping``, ``send_nowait``, ``close_nowait``,
    ``close_connection``, ``fileno``), which speak of whole messages, keeps ``_state`` true, and
    calls ``end`` as soon as it is decided that the connection ends.

    Objects compare by identity, are hashable, and take attributes of your own.

    Attributes:
        subprotocol: the one agreed on, or ``None``.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_has_listener",
        "_read_lock",
        "_ready",
        "_state",
        "_told",
        "_watch",
        "connection_log",
        "has_ended",
        "on_accept",
        "runner",
        "subprotocol",
    )

    #: Where the code that uses it goes on; until the server's request has ended, or the view has.
    runner: Runner | None
    on_accept: Callable[[], None] | None  # called once it is accepted
    connection_log: ConnectionLog | None  # if somebody reads it; until the end is in it

    # Reading: these belong to whoever holds _read_lock, except that anybody may pop from _ready.
    _read_lock: Any  # made by the backend, of the kind its server waits with
    _ready: list[Message]  # received and not read yet, the oldest last
    _has_listener: bool  # messages go to a handler: nobody waits, and _read_lock says so
    _told: bool  # the view has been told once that no further one will come

    #: Whether the end is decided, or being decided: no group may add it any more.
    has_ended: bool

    def __init__(self) -> None:
        self._ready = []
        self._state = ConnectionState()
        self._has_listener = self._told = self.has_ended = False
        self._watch = database.ConnectionWatch()
        self.runner = self.on_accept = self.connection_log = None
        self.subprotocol: str | None = None

    # The primitives

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        """Answer the handshake with 101.

        What can fail is done before that. Whoever does something behind it calls ``_state.open``
        first: what then fails ends with a Close, and not with a response.
        """
        raise NotImplementedError

    def receive_messages(self, deadline: float | None) -> list[Message]:
        """The next messages, at least one; none at all once the connection is over. Blocks.

        Args:
            deadline: ``time.monotonic()`` value, or ``None`` for no end.

        Raises:
            TimeoutError: the deadline passed.
        """
        raise NotImplementedError

    def receive_available(self) -> list[Message]:
        """The messages that are here already. Never blocks, never raises."""
        raise NotImplementedError

    def send(self, message: str | BytesLike) -> None:
        """Send ``str`` as text, bytes-like as binary. Safe from any thread or greenlet.

        Raises:
            ConnectionClosed: the connection is closed.
            TypeError: ``message`` is of another type.
        """
        raise NotImplementedError

    def send_ping(self, payload: bytes) -> None:
        """Send a Ping (RFC 6455, 5.5.2)."""
        raise NotImplementedError

    def send_nowait(self, message: PreparedMessage) -> None:
        """Send what a group sends. Never waits and never raises: what the socket does not take at
        once waits, up to ``WEBSOCKET_MAX_SEND_BUFFER``; beyond it the connection is closed with
        1013. Nothing happens on a closed connection. Safe from any thread or greenlet.
        """
        raise NotImplementedError

    def close_nowait(self, code: int, reason: str) -> None:
        """Begin the closing handshake behind what ``send_nowait`` has sent. Never waits, never
        raises.
        """
        raise NotImplementedError

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        """The closing handshake; idempotent.

        Args:
            timeout: seconds it may take; with 0 our Close is sent and nothing is waited for.
        """
        raise NotImplementedError

    def count_received(self) -> int | None:
        """How many messages have come; ``None`` where that is not counted."""
        return None

    def fileno(self) -> int:
        """A descriptor for ``select`` and its kin, the socket's where there is one; -1 before the
        WebSocket is accepted.

        Messages may wait in memory while the descriptor is silent: ask ``has_messages()`` first.
        """
        raise NotImplementedError

    # The opening handshake

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Accept the connection, in a view decorated with ``auto_accept=False``.

        Args:
            subprotocol: one of those the client offered, or ``None``.
            headers: further headers of the 101, such as ``{"Set-Cookie": "…"}``.

        Raises:
            InvalidHandshake: the process holds ``WEBSOCKET_MAX_CONNECTIONS`` WebSockets already, or
                has no descriptors left; if the view lets it escape, the answer is 503.
            InvalidState: the connection is accepted already.
            SocketTakeoverError: the server does not let go of this connection; if the view lets it
                escape, the answer is 501.
            ValueError: a header that is not allowed, or a subprotocol that is no token.
        """
        if self.accepted:
            raise InvalidState(
                "accept() was called, but the WebSocket is accepted already; call it once, and "
                "only in a view decorated with auto_accept=False"
            )
        self.accept_connection(subprotocol, headers or {})
        self.subprotocol = subprotocol
        self._state.open()
        if self.connection_log is not None:
            self.connection_log.tell_opened()
        if self.on_accept is not None:
            on_accept, self.on_accept = self.on_accept, None
            on_accept()

    @property
    def accepted(self) -> bool:
        """Whether the 101 has been sent."""
        return self._state.reading >= OPEN

    def _check_accepted(self) -> None:
        if self._state.reading < OPEN:
            raise InvalidState(
                "the WebSocket is not accepted yet: call request.websocket.accept() first, or "
                "decorate the view without auto_accept=False"
            )

    # Receiving

    def wait(self, timeout: float | None = None) -> Message | None:
        """The next message: ``str`` for text, ``bytes`` for binary. Blocks.

        Args:
            timeout: seconds; ``None`` waits for ever, 0 does not wait.

        Returns:
            The message, or ``None``, once, when the connection has closed.

        Raises:
            TimeoutError: no message came in time.
            ConnectionClosed: the connection had closed and an earlier call said so.
        """
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
        """The messages, until the connection closes."""
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
        if timeout is None or timeout < 0:  # -1 meant 'for ever' in earlier releases
            deadline = None
            lock.acquire()
        else:
            deadline = monotonic() + timeout
            if not lock.acquire(timeout=timeout):
                raise TimeoutError(f"no message within {timeout} seconds")
        try:
            if self._ready:  # another reader received more than it wanted
                return self._ready.pop()
            messages = None
            if self._watch.seen != database.opened:
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
        if not messages and self._watch.release():
            soon = monotonic() + database.MOMENT
            try:
                return self.receive_messages(soon if deadline is None else min(soon, deadline))
            except TimeoutError:
                if deadline is not None and deadline <= soon:
                    raise
            self._watch.release(at_once=True)
        return messages

    def read(self, fallback: Any = None) -> Any:
        """The next message if a whole one is here, else ``fallback``. Never blocks.

        Raises:
            ConnectionClosed: the connection had closed and an earlier call returned ``fallback``
                for it.
        """
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
        """Whether a whole message is here. Never blocks."""
        return self.count_messages() > 0

    def count_messages(self) -> int:
        """How many whole messages are here. Never blocks."""
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
        """``wait()`` and decode the message as JSON; ``None`` when the connection has closed.

        Raises:
            ValueError: the message is not JSON. The connection stays open.
        """
        message = self.wait(timeout)
        return None if message is None else json.loads(message)

    # Sending

    def send_json(self, obj: Any) -> None:
        """Send ``obj`` as JSON text; dates, decimals and UUIDs as Django's encoder writes them."""
        self.send(json.dumps(obj, cls=DjangoJSONEncoder))

    def ping(self, data: str | bytes = b"") -> None:
        """Send a Ping with up to 125 bytes; the library consumes the Pong.

        Raises:
            ConnectionClosed: the connection is closed.
            ValueError: ``data`` is too long.
        """
        payload = data.encode() if isinstance(data, str) else bytes(data)
        if len(payload) > MAX_CONTROL_SIZE:
            raise ValueError(
                f"a Ping holds at most {MAX_CONTROL_SIZE} bytes, this is {len(payload)}"
            )
        self._check_accepted()
        self.send_ping(payload)

    # Closing

    def close(self, code: int | None = 1000, reason: str | bytes | None = "") -> None:
        """Close the connection: send a Close, wait for the peer's, no longer than
        ``WEBSOCKET_CLOSE_TIMEOUT``. Further calls do nothing.

        Args:
            code: 1000, another code that may be sent, or one of your own (4000 to 4999).
            reason: at most 123 bytes of UTF-8.

        Raises:
            ValueError: a code that may not be sent, or too long a reason.
        """
        reason = check_reason(reason)
        self._check_accepted()
        self.close_connection(1000 if code is None else code, reason, conf.CLOSE_TIMEOUT)

    disconnect = close

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, noticing a Close or a hang-up that has arrived."""
        state = self._state
        if state.code is None and state.reading >= OPEN:
            self._look()
        return state.code is not None

    def is_closed(self) -> bool:
        """The same as ``closed``."""
        return self.closed

    @property
    def connected(self) -> bool:
        """Whether the connection is accepted and has not ended; looks as ``closed`` does."""
        return self.accepted and not self.closed

    @property
    def close_code(self) -> int | None:
        """Why the connection ended (RFC 6455, 7.4.1), ``None`` as long as it has not; whoever was
        first to end it has said so. 1005: the peer gave no code; 1006: the connection broke.
        """
        return self._state.code

    @property
    def close_reason(self) -> str | None:
        """The text beside ``close_code``, ``None`` until there is a code."""
        return self._state.reason

    def end(self, code: int, reason: str) -> bool:
        """Decide that the connection ends, and why. Never waits. From any thread or greenlet.

        Returns:
            Whether this was the first call: the code and the reason of later ones do not count.
        """
        if self._state.code is not None:
            return False
        self.has_ended = True
        groups.leave_all(self)  # first: whoever hears of the end is in no group any more
        with ending:
            return self._state.end(code, reason)

    def _closed_error(self) -> ConnectionClosed:
        state = self._state
        return ConnectionClosed(1006 if state.code is None else state.code, state.reason or "")

    # The life of a request: called by upgrade

    def create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner | None:
        """Decide where goes on what is going to use this WebSocket, and reserve what it needs then,
        now or just before the 101.

        Args:
            accepts: whether the handshake is accepted now, and not by the view.

        Returns:
            ``None``: in the server's own thread, as long as the connection lasts.

        Raises:
            InvalidHandshake: no further view can run in this process.
            SocketTakeoverError: no coroutine can work here.
        """
        return None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The server's event loop, in which coroutines serve it without a thread, if it has one."""
        return None

    def release_database(self) -> None:
        """Close the database connections of the running thread or greenlet, if it has any."""
        if self._watch.seen != database.opened:
            self._watch.release(at_once=True)

    def finish(self) -> None:
        """Tell the server that this request is answered. The last thing done to a WebSocket."""

    # The async twins

    async def areceive(self, timeout: float | None = None) -> Message | None:
        """``wait()`` for an async view."""
        await self.arelease_database()
        return await in_thread(self.wait, timeout)

    async def arelease_database(self) -> None:
        """``release_database`` in the thread that waits for the running task, if there is one."""
        if self._watch.seen != database.opened and borrows_thread():
            await sync_to_async(self.release_database)()

    async def asend(self, message: str | BytesLike) -> None:
        """``send()`` for an async view."""
        await in_thread(self.send, message)

    async def adrain(self) -> None:
        """Wait until what was sent without waiting has left."""

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """``close()`` for an async view."""
        await in_thread(self.close, code, reason)

    async def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, until the connection closes."""
        while (message := await self.areceive()) is not None:
            yield message


def check_reason(reason: str | bytes | None) -> str:
    """The reason to close, as text.

    Raises:
        ValueError: it does not fit into a Close frame.
    """
    if isinstance(reason, (bytes, bytearray)):
        reason = reason.decode()
    reason = reason or ""
    size = len(reason.encode())
    if size > MAX_REASON_SIZE:
        raise ValueError(
            f"the reason to close is {size} bytes long, a Close frame holds {MAX_REASON_SIZE} at "
            "most"
        )
    return reason


def forget_lock() -> None:
    """In a forked child, whose parent may have held it."""
    global ending
    ending = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)

#: The name up to dwebsocket 0.5.
WebSocket = BaseWebSocket
