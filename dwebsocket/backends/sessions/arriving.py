"""A session that another process has had: it goes on here, under its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from socket import socket
from typing import Any

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.listening import Listener
from dwebsocket.backends.places import Place
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.backends.sessions.carriers import DrivenCarrier, Polls
from dwebsocket.backends.sessions.claims import Owner
from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.backends.sessions.relay import join
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.sessions.transit import unpack
from dwebsocket.backends.sessions.websocket import SessionWebSocket
from dwebsocket.backends.sockets.arriving import (
    Arrival,
    ArrivedWebSocket,
    OtherSubprotocol,
    check_use,
    do_nothing,
    telling_resumed,
)
from dwebsocket.backends.sockets.departing import Late
from dwebsocket.backends.sockets.holding import NOTHING_KNOWN, Known
from dwebsocket.groups.survey import join as join_surveys
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.transports import Transport, find_transport_class
from dwebsocket.websocket import BaseWebSocket

__all__ = ["SessionArrival", "find_usual_transport_class"]


class SessionArrival:
    """One of them, until it goes on. The ``Opening`` of its WebSocket.

    Args:
        content: what came of it.
        state: what its handler had to say.
        carrier: the WebSocket that carries it, if one does and came with it.

    Attributes:
        content: what came of it.
        kind: of the carrier that is there, or was there last.
        state: what its handler had to say.
        websocket: once it is accepted.
    """

    def __init__(
        self, content: SessionContent, state: dict[str, Any], carrier: Arrival | None
    ) -> None:
        self.content = content
        self.state = state
        self.kind = content.kind
        self.websocket: ArrivedSession | None = None
        self._carrier = carrier

    def create_factory(self, request: HttpRequest) -> BaseWebSocketFactory:
        """What makes the WebSocket of the request that stands for the handshake."""
        return ArrivedFactory(request, self)

    def open(
        self, session: Session, subprotocol: str | None, headers: Mapping[str, str]
    ) -> HttpResponse | None:
        """See ``Opening``: what carried it does so again, and brings nothing before ``begin``."""
        join()  # before others look for it here
        join_surveys()
        if self._carrier is not None:
            found: list[DrivenCarrier] = []

            def listen(websocket: ArrivedWebSocket) -> Listener:
                websocket._carries_session = websocket._is_left_to_session = True
                found.append(DrivenCarrier(session, websocket))
                return found[0]

            self._carrier.accept(HttpRequest(), listen)
            session.place(found[0])
        elif self.content.is_carried:
            session.place(Polls(escapes=session.resumes))
        return None

    def begin(self, late: Late | None, before: Known = NOTHING_KNOWN) -> None:
        """Send what has come for the client meanwhile, and go on.

        Args:
            before: what groups had sent to it in the other process.
        """
        try:
            if self._carrier is not None:
                self._carrier.begin(None)  # first: it is only held
        finally:
            if self.websocket is not None:
                self.websocket._begin(late, before)

    def refuse(self, request: HttpRequest, code: int, reason: str) -> None:
        """It cannot go on here: end it, behind what waits for the client. Never waits."""
        websocket = ArrivedSession(request, self.create_factory(request).find_place(), self)
        websocket.accept(self.content.protocol)
        websocket.close_nowait(code, reason)

    def drop(self) -> None:
        """It is nobody's any more."""
        if self._carrier is not None:
            self._carrier.drop()


class ArrivedFactory(BaseWebSocketFactory):
    """Makes the WebSocket of a request that stands for the handshake, which is over."""

    def __init__(self, request: HttpRequest, arrival: SessionArrival) -> None:
        super().__init__(request)
        self._arrival = arrival

    def is_websocket(self) -> bool:
        return True  # though it was a poll

    def check_handshake(self) -> None:
        pass  # it was good

    def find_transport_class(self) -> type[Transport]:
        return find_usual_transport_class()

    def create_websocket(self) -> BaseWebSocket | None:
        return self.build(ArrivedSession, self.request, self.find_place(), self._arrival)


@cache
def find_usual_transport_class() -> type[Transport]:
    """Says how whatever this process runs waits: its sockets are of that kind."""
    with socket() as sock:
        return find_transport_class(sock)


class ArrivedSession(SessionWebSocket):
    """Has nothing called and nothing sent until ``_begin``."""

    __slots__ = ("_arrival", "_start")

    _start: Callable[[], None]  # has the handler called

    def __init__(self, request: HttpRequest, place: Place, arrival: SessionArrival) -> None:
        content = arrival.content
        owner = None if content.owner is None else Owner(*content.owner)
        super().__init__(request, place, arrival, content.resumes, owner)
        self._arrival = arrival
        self._brought = None  # it was told there
        self._kept_state = arrival.state
        self._start = do_nothing

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        with telling_resumed(self, self._arrival.content):
            super().accept(subprotocol, headers)
        self._arrival.websocket = self

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        if subprotocol != self._arrival.content.protocol:
            raise OtherSubprotocol
        super().accept_connection(subprotocol, headers)

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner:
        check_use(use)
        return super()._create_runner(request, use, accepts=accepts)

    def _check_room(self) -> None:
        pass  # that there is room was said when it was offered

    def _create_session(self, sid: str, subprotocol: str | None) -> Session:
        content = self._arrival.content
        session = super()._create_session(content.sid, subprotocol)
        self._inbox.put(content.ready)
        session.restore(content)
        return session

    def _attach_listener(self, listener: Listener) -> Callable[[], None]:
        self._start = super()._attach_listener(listener)
        return do_nothing

    def _begin(self, late: Late | None, before: Known) -> None:
        """Go on: see ``SessionArrival.begin``."""
        session = self._session
        try:
            if late is None:
                session.release()
            else:
                unsent = unpack(late.unsent)
                session.release(late.held, before, unsent=unsent, is_too_much=late.is_too_much)
                if late.close is not None:
                    session.end(*late.close)
        except BaseException:  # held, it would be neither served nor ended
            session.release()
            session.end(CloseCode.INTERNAL_ERROR, "", lingers=False)
            raise
        finally:
            self._start()
