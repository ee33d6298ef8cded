"""A handler's session that another process is going to have: with the WebSocket that carries it, or
without, where it is polled or its client is away.
"""

from __future__ import annotations

from typing import Any

from dwebsocket.backends.sessions import registry
from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.sessions.transit import pack
from dwebsocket.backends.sessions.websocket import SessionWebSocket
from dwebsocket.backends.sockets.departing import MOVED, Departure, Late

__all__ = ["SessionDeparture"]


class SessionDeparture:
    """One session on its way.

    Args:
        websocket: a handler's (``can_move``).
    """

    __slots__ = ("_carrier", "_count", "_session", "websocket")

    def __init__(self, websocket: SessionWebSocket) -> None:
        self.websocket = websocket
        self._session: Session = websocket._session
        self._carrier: Departure | None = None
        self._count = 0  # of messages that have moved

    @staticmethod
    def can_move(websocket: Any) -> bool:
        """Whether it is a session whose handler has begun, and that is not about to end."""
        return is_portable(websocket) and websocket._calls is not None

    @staticmethod
    def is_beginning(websocket: Any) -> bool:
        """Whether it can once its opening is over, here or on its way from another process."""
        return is_portable(websocket) and websocket._calls is None

    @property
    def descriptor(self) -> int | None:
        """That of the WebSocket which moves, too."""
        return None if self._carrier is None else self._carrier.websocket.fileno()

    def suspend(self) -> None:
        """Have nothing called any more, and nothing sent; and whoever comes wait."""
        assert self.websocket._calls is not None
        self.websocket._calls.pause()
        carrier = self._session.suspend(Departure.can_move)
        if carrier is not None:
            self._carrier = Departure(carrier)
            self._carrier.suspend()

    @property
    def is_still(self) -> bool:
        """Whether nothing is being called any more, and nothing taken in."""
        calls, carrier = self.websocket._calls, self._carrier
        assert calls is not None
        return calls.is_still and (carrier is None or carrier.is_still)

    @property
    def has_ended(self) -> bool:
        """Whether it ends, and has to do so here."""
        if self.websocket._has_ended:
            return True
        return self._has_lost_carrier and not self._session.resumes

    @property
    def _has_lost_carrier(self) -> bool:
        return self._carrier is not None and self._carrier.has_ended

    def take(self) -> SessionContent | None:
        """What moves; ``None``: it cannot just now."""
        if self._carrier is not None and self._has_lost_carrier:
            self._carrier.go_on()  # to its end; the client comes back
            self._carrier = None
            self._session.miss()
        carrier = None
        if self._carrier is not None:
            carrier = self._carrier.take()
            if carrier is None:
                return None
        session, websocket = self._session, self.websocket
        with session._lock:
            outgoing = session._outgoing
            kept, pending = outgoing.look()
            self._count = outgoing.count
            return SessionContent(
                sid=session.sid,
                owner=session.owner,
                resumes=session.resumes,
                kind=session.kind,
                is_carried=session._carrier is not None,
                protocol=session.protocol,
                trimmed=outgoing.trimmed,
                kept=kept,
                pending=pending,
                controls=list(session._controls),
                ready=websocket._inbox.look(),
                received=session.received,
                pulse=session._pulse.pack(),
                lost_since=session._lost_since,
                stamp=websocket._opened,
                sent=websocket._sent,
                carrier=carrier,
            )

    def take_late(self) -> Late:
        """Take out what has come since."""
        session = self._session
        with session._lock:
            outgoing, transit = session._outgoing, session._transit
            _, pending = outgoing.look()
            late = pending[len(pending) - (outgoing.count - self._count) :]
            ended = session._ended
            close = None if ended is None else (int(ended[0]), ended[1])
            return Late(pack(late), transit.take_held(), transit.is_too_much, close)

    def let_go(self) -> None:
        """Another process goes on with it."""
        if self._carrier is not None:
            self._carrier.let_go()
        registry.leave(self._session)
        waiters = self._session.let_go()
        self.websocket._leave(MOVED)
        waiters.wake()

    def go_on(self, late: Late | None = None) -> None:
        """It stays here.

        Args:
            late: what ``take_late`` has taken out.
        """
        if self._carrier is not None:
            self._carrier.go_on()
        waiters = self._session.stay([] if late is None else late.held)
        calls = self.websocket._calls
        assert calls is not None
        calls.go_on()
        waiters.wake()


def is_portable(websocket: Any) -> bool:
    """Whether it is a session that has not ended, and that another process can have."""
    if not isinstance(websocket, SessionWebSocket):
        return False
    # Under ASGI its request is one of the server's event loop, and no other process has that.
    return websocket.accepted and not websocket._has_ended and websocket._loop is None
