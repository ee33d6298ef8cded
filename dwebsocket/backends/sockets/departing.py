"""A handler's connection that another process is going to have: it is made still, what it holds is
taken out, and then it is let go of, or goes on here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dwebsocket.backends.sockets import sweeper, transit
from dwebsocket.backends.sockets.driver import Driver
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.backends.sockets.websocket import SocketWebSocket
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.messages import Message

__all__ = ["MOVED", "Content", "Departure", "Late"]

MOVED = "another process has the connection now"


class Content(NamedTuple):
    """What moves besides the descriptor.

    Attributes:
        unread: bytes that were read and are no whole message yet.
        ready: messages that nobody has had yet, the oldest last.
        unsent: bytes that wait for the peer to read.
        subprotocol: the one agreed on.
        deflate: the sizes of both windows, if compression was agreed on.
        stamp: when it was accepted.
        sent: how many messages.
        received: how many messages.
    """

    unread: bytes
    ready: list[Message]
    unsent: bytes
    subprotocol: str | None
    deflate: tuple[int, int] | None
    stamp: int
    sent: int
    received: int

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.unread) + len(self.unsent)


class Late(NamedTuple):
    """What has come for the peer in the old process since ``Content`` was taken.

    Attributes:
        unsent: what the handler's own threads have sent.
        held: what groups have.
        is_too_much: whether there was no room for all of that.
        close: the code and the reason, if it was closed meanwhile.
    """

    unsent: bytes
    held: list[HeldFrame]
    is_too_much: bool
    close: tuple[int, str] | None


class Departure:
    """One connection on its way.

    Args:
        websocket: a handler's (``can_move``).
    """

    __slots__ = ("_content", "_driver", "_reader", "_writer", "websocket")

    def __init__(self, websocket: SocketWebSocket) -> None:
        self.websocket = websocket
        self._reader = websocket._reader
        self._writer = websocket._writer
        self._driver: Driver = self._writer.driver
        self._content: Content | None = None

    @property
    def descriptor(self) -> int | None:
        """Its own."""
        return self.websocket.fileno()

    @staticmethod
    def can_move(websocket: Any) -> bool:
        """Whether it is a connection that nobody waits for, and that is not about to end."""
        return is_portable(websocket) and has_begun(websocket._writer.driver)

    @staticmethod
    def is_beginning(websocket: Any) -> bool:
        """Whether it can once its opening is over, here or on its way from another process."""
        return is_portable(websocket) and not has_begun(websocket._writer.driver)

    def suspend(self) -> None:
        """Have nothing called any more, and nothing sent. What is being called goes on."""
        self._driver.suspend()
        transit.hold(self._writer)

    @property
    def is_still(self) -> bool:
        """Whether nothing is being called any more."""
        return self._driver.is_still

    @property
    def has_ended(self) -> bool:
        """Whether it ends, and has to do so here."""
        state = self.websocket._state
        return bool(state.reading or state.writing or self.websocket._has_ended)

    def take(self) -> Content | None:
        """Take out what moves; ``None``: it cannot just now, in the middle of a compressed
        message.
        """
        websocket, connection = self.websocket, self._reader.connection
        unread = connection.replay()
        if unread is None:
            return None
        deflate = self._writer.deflate
        self._content = Content(
            unread=unread,
            ready=list(websocket._ready),
            unsent=transit.take_waiting(self._writer),
            subprotocol=websocket.subprotocol,
            deflate=None if deflate is None else deflate.bits,
            stamp=websocket._opened,
            sent=websocket._sent,
            received=connection.received,
        )
        return self._content

    def take_late(self) -> Late:
        """Take out what has come since."""
        state, held = self.websocket._state, transit.take_held(self._writer)
        is_too_much = self._writer.held is not None and self._writer.held.is_too_much
        close = None
        if state.writing and not self._writer.is_lost and state.code is not None:
            close = int(state.code), state.reason or ""  # one that broke ends by itself
        return Late(transit.take_waiting(self._writer), held, is_too_much, close)

    def let_go(self) -> None:
        """Another process goes on with it."""
        websocket = self.websocket
        self._driver.stop_timing()
        sweeper.discard(websocket)
        websocket._connection_log = websocket._origin = None
        websocket.end(CloseCode.SERVICE_RESTART, MOVED)
        websocket._ready.clear()
        transit.let_go(self._writer)

    def go_on(self, late: Late | None = None) -> None:
        """It stays here.

        Args:
            late: what ``take_late`` has taken out.
        """
        unsent = b"" if self._content is None else self._content.unsent
        held: list[HeldFrame] = []
        if late is not None:
            unsent, held = unsent + late.unsent, late.held
        if unsent:
            transit.put_first(self._writer, unsent)
        transit.release(self._writer, held)
        self._driver.resume()


def is_portable(websocket: Any) -> bool:
    """Whether a loop reads it for a handler, or is going to, and all that it is can be told."""
    if not isinstance(websocket, SocketWebSocket) or websocket._writer.driver is None:
        return False
    state, deflate = websocket._state, websocket._writer.deflate
    is_open = not (state.reading or state.writing or websocket._has_ended)
    transport = websocket._transport if websocket.accepted else None
    is_ours = transport is not None and transport.moves and transport._detached
    return is_open and is_ours and (deflate is None or deflate.is_stateless)


def has_begun(driver: Driver) -> bool:
    """Whether the loop reads: the opening is over."""
    return driver.is_watched
