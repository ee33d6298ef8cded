"""What a backend says of a WebSocket: how whole messages get in and out."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dwebsocket import groups
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.messages import Message
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import ConnectionState, Reading

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from dwebsocket.backends.runner import Runner, Use

__all__ = ["Primitives"]


#: Guards the decision of all connections for an instant.
ending = threading.Lock()


class ConnectionLog(Protocol):
    """What is said of a WebSocket in the log."""

    def tell_opened(self) -> None: ...
    def tell_resumed(self, seconds: float) -> None: ...
    def tell_ended(self, websocket: Any) -> None: ...


class Origin(Protocol):
    """What uses a WebSocket, for those who ask who is connected."""

    @property
    def served(self) -> tuple[Any, str, Any]:
        """The request, or what is left of it; what it is ("view", "async handler"); and the class
        of a handler.
        """
        ...


class Primitives:
    """A backend fills these in, and ``send`` and ``fileno`` of ``http.WebSocket``; it keeps
    ``_state`` true, and calls ``end`` as soon as it is decided that the connection ends.
    """

    __slots__ = (
        "_connection_log",
        "_has_ended",
        "_has_listener",
        "_on_accept",
        "_opened",
        "_origin",
        "_read_lock",
        "_ready",
        "_runner",
        "_sent",
        "_state",
    )

    #: Where the code that uses it goes on; until the server's request has ended, or the view has.
    _runner: Runner | None
    _on_accept: Callable[[], None] | None  # called once it is accepted
    _connection_log: ConnectionLog | None  # if somebody reads it; until the end is in it

    # For those who ask who is connected.
    _opened: int  # when it was accepted: what take_stamp() has given, which no other one has
    _origin: Origin | None  # from the handshake until the end
    _sent: int  # messages; of two threads that send at once one may not be counted

    # Reading: these belong to whoever holds _read_lock, except that anybody may pop from _ready.
    _read_lock: Any  # made by the backend, of the kind its server waits with
    _ready: list[Message]  # received and not read yet, the oldest last
    _has_listener: bool  # messages go to a handler: nobody waits, and _read_lock says so

    #: The methods of its handler that groups call, if it has written any.
    _hooks: groups.Hooks | None = None  # no slot: few have some

    #: What its handler had to say in the process that had it before; ``None``: none had it.
    _kept_state: dict[str, Any] | None = None  # no slot: few have some
    _kept_messages: int = 0  # so many had been worked on there

    #: Of a client that keeps its positions in groups by itself; no slot, again.
    _positions: groups.ClientPositions | None = None

    #: Whether it carries a session, whose own WebSocket is the one that counts; no slot, again.
    _carries_session: bool = False

    #: Whether that session is in this process, and says more than a Close when it ends; no slot.
    _is_left_to_session: bool = False

    #: Whether the end is decided, or being decided: no group may add it any more.
    _has_ended: bool

    def __init__(self) -> None:
        self._ready = []
        self._state = ConnectionState()
        self._has_listener = self._has_ended = False
        self._opened = self._sent = 0
        self._runner = self._on_accept = self._connection_log = self._origin = None

    # The opening handshake

    def _take_response(self) -> HttpResponse | None:
        """What the server's request is to end with, once; ``None``: whatever it likes."""
        return None

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        """Answer the handshake with 101.

        What can fail is done before that. Whoever does something behind it calls ``_state.open``
        first: what then fails ends with a Close, and not with a response.
        """
        raise NotImplementedError

    @property
    def accepted(self) -> bool:
        """Whether the 101 has been sent."""
        return self._state.reading >= Reading.OPEN

    # Messages

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

    def _count_received(self) -> int | None:
        """How many messages have come; ``None`` where that is not counted."""
        return None

    def _count_waiting(self) -> int:
        """How many bytes wait to be sent."""
        return 0

    def _read_traffic(self) -> tuple[int, int] | None:
        """How many bytes the connection has carried, in and out; ``None`` where that is not
        known.
        """
        return None

    def _find_address(self) -> str | None:
        """The address at the other end of the connection, if that is known."""
        return None

    def _set_reading(self, on: bool) -> None:
        """Whether the loop that reads on behalf of a listener goes on."""
        raise NotImplementedError

    @property
    def transport(self) -> str:
        """What carries it."""
        return "websocket"

    @property
    def _redelivered(self) -> bool:
        """Whether a process that was killed may have worked on the present message."""
        return False

    def _show_error(self, error: BaseException) -> None:
        """Let the client have an error of what uses this, if it can show one to whoever writes the
        site. Never raises.
        """

    # The end

    def end(self, code: int, reason: str) -> bool:
        """Decide that the connection ends, and why. Never waits. From any thread or greenlet.

        Returns:
            Whether this was the first call: the code and the reason of later ones do not count.
        """
        if self._state.code is not None:
            return False
        self._has_ended = True
        groups.leave_all(self)  # first: whoever hears of the end is in no group any more
        with ending:
            return self._state.end(code, reason)

    def _closed_error(self) -> ConnectionClosed:
        state = self._state
        return ConnectionClosed(1006 if state.code is None else state.code, state.reason or "")

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

    # The life of a request: called by upgrade

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner | None:
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
    def _loop(self) -> asyncio.AbstractEventLoop | None:
        """The server's event loop, in which coroutines serve it without a thread, if it has one."""
        return None

    def _finish(self) -> None:
        """Tell the server that this request is answered. The last thing done to a WebSocket."""


def forget_lock() -> None:
    """Make a new lock in a forked child, whose parent may have held it."""
    global ending
    ending = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)
