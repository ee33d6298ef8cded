"""``request.websocket``: what a view can do with a WebSocket, written once for all backends."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.core.serializers.json import DjangoJSONEncoder

from dwebsocket import groups, http
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


class BaseWebSocket(http.WebSocket):
    """``dwebsocket.http.WebSocket``, written once on what backends can do.

    A backend fills in the primitives (``accept_connection``, ``receive_messages``,
    ``receive_available``, ``send``, ``send_ping``, ``send_nowait``, ``close_nowait``,
    ``close_connection``, ``fileno``), which speak of whole messages, keeps ``_state`` true, and
    calls ``end`` as soon as it is decided that the connection ends.
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
        "has_ended",
        "on_accept",
        "runner",
        "subprotocol",
    )

    #: Where the code that uses it goes on; until the server's request has ended, or the view has.
    runner: Runner | None
    on_accept: Callable[[], None] | None  # called once it is accepted

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
        self.runner = self.on_accept = None
        self.subprotocol = None

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

    # The opening handshake

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if self.accepted:
            raise InvalidState(
                "accept() was called, but the WebSocket is accepted already; call it once, and "
                "only in a view decorated with auto_accept=False"
            )
        self.accept_connection(subprotocol, headers or {})
        self.subprotocol = subprotocol
        self._state.open()
        if self.on_accept is not None:
            on_accept, self.on_accept = self.on_accept, None
            on_accept()

    @property
    def accepted(self) -> bool:
        return self._state.reading >= OPEN

    def _check_accepted(self) -> None:
        if self._state.reading < OPEN:
            raise InvalidState(
                "the WebSocket is not accepted yet: call request.websocket.accept() first, or "
                "decorate the view without auto_accept=False"
            )

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

    def send_json(self, obj: Any) -> None:
        self.send(json.dumps(obj, cls=DjangoJSONEncoder))

    def ping(self, data: str | BytesLike = b"") -> None:
        payload = data.encode() if isinstance(data, str) else bytes(data)
        if len(payload) > MAX_CONTROL_SIZE:
            raise ValueError(
                f"a Ping holds at most {MAX_CONTROL_SIZE} bytes, this is {len(payload)}"
            )
        self._check_accepted()
        self.send_ping(payload)

    # Closing

    def close(self, code: int | None = 1000, reason: str | bytes | None = "") -> None:
        reason = check_reason(reason)
        self._check_accepted()
        self.close_connection(1000 if code is None else code, reason, conf.CLOSE_TIMEOUT)

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
        await self.arelease_database()
        return await in_thread(self.wait, timeout)

    async def arelease_database(self) -> None:
        """``release_database`` in the thread that waits for the running task, if there is one."""
        if self._watch.seen != database.opened and borrows_thread():
            await sync_to_async(self.release_database)()

    async def asend(self, message: str | BytesLike) -> None:
        await in_thread(self.send, message)

    async def adrain(self) -> None:
        pass

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await in_thread(self.close, code, reason)

    async def __aiter__(self) -> AsyncIterator[Message]:
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
