"""How carriers begin: the first one, which opens a session, and those that come later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends.places import Place
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.runner import STAYING, Use
from dwebsocket.backends.sessions.answers import renderer
from dwebsocket.backends.sessions.carriers import (
    AwaitedCarrier,
    DrivenCarrier,
    HeldCarrier,
    Polls,
    SessionEnd,
    WebSocketCarrier,
)
from dwebsocket.backends.sessions.session import Session
from dwebsocket.websocket import BaseWebSocket

__all__ = ["OWNER", "Connection", "Opening", "PollsOpening", "WebSocketOpening", "find_owner"]

#: In request.META, which wrappers of the request share: who may come with further carriers.
OWNER = "dwebsocket.session.owner"


def find_owner(request: HttpRequest) -> Any:
    """Who may come with further carriers, if that is known."""
    return request.META.get(OWNER)


class Opening(Protocol):
    """The first carrier of a session."""

    @property
    def kind(self) -> str:
        """As ``Carrier`` has it."""
        ...

    def open(
        self, session: Session, subprotocol: str | None, headers: Mapping[str, str]
    ) -> HttpResponse | None:
        """Answer the handshake, and let the session have the carrier; what the server's request
        ends with, ``None``: any response.
        """


class PollsOpening:
    """The session begins with polls."""

    kind: ClassVar[str] = "polling"

    def __init__(self, request: HttpRequest) -> None:
        self._render = renderer(request)

    def open(
        self, session: Session, subprotocol: str | None, headers: Mapping[str, str]
    ) -> HttpResponse | None:
        """See ``Opening``."""
        polls, reply = Polls(escapes=session.resumes), Reply(self._render)
        polls.wait(reply)
        session.adopt(polls)
        response = reply.build()
        for name, value in headers.items():
            response.headers[name] = value
        return response


class WebSocketOpening:
    """The session begins with a WebSocket."""

    kind: ClassVar[str] = "websocket"

    def __init__(self, request: HttpRequest, place: Place, websocket: BaseWebSocket) -> None:
        self._request = request
        self._place = place
        self._websocket = websocket

    def open(
        self, session: Session, subprotocol: str | None, headers: Mapping[str, str]
    ) -> HttpResponse | None:
        """See ``Opening``."""
        connection = Connection(session, self._request, self._place, self._websocket)
        connection.accept(subprotocol, headers)
        session.adopt(connection.carrier)
        return connection.start()


class Connection:
    """A WebSocket that is going to carry a session, driven as the server's backend can.

    Attributes:
        carrier: it, once it is accepted.
    """

    carrier: WebSocketCarrier

    def __init__(
        self, session: SessionEnd, request: HttpRequest, place: Place, websocket: BaseWebSocket
    ) -> None:
        self._session = session
        self._request = request
        self._place = place
        self._websocket = websocket
        self._start: Callable[[], None] | None = None
        self._response: HttpResponse | None = None
        websocket._carries_session = True
        websocket._is_left_to_session = session.is_here

    def accept(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        """Send the 101."""
        websocket, loop = self._websocket, self._websocket._loop
        use = Use.HANDLER if loop is None else Use.COROUTINE
        websocket._runner = websocket._create_runner(self._request, use, accepts=True) or STAYING
        websocket.accept(subprotocol, headers)
        runner = websocket._runner
        assert runner is not None
        if loop is not None:
            awaited = self.carrier = AwaitedCarrier(self._session, websocket, loop)
            runner.start_coroutine(awaited.run)
            return
        driven = self.carrier = DrivenCarrier(self._session, websocket)
        self._start = runner.drive(driven)
        if self._start is None:
            held = HeldCarrier(self._session, websocket, self._place.create_lock)
            self.carrier, self._response = held, HoldingResponse(websocket, held)

    def start(self) -> HttpResponse | None:
        """Read from now on; as ``Opening.open``."""
        if self._start is not None:
            self._start()
        return self._response


class HoldingResponse(HttpResponse):
    """The response of a request that lasts as long as its connection, which cannot leave the
    server: that is read while the server would write. It finds nobody to write to.
    """

    status_code = 101

    def __init__(self, websocket: BaseWebSocket, carrier: HeldCarrier) -> None:
        super().__init__()
        self._websocket = websocket
        self._carrier = carrier

    def __iter__(self) -> Iterator[bytes]:
        try:
            self._carrier.hold()
        finally:
            self._websocket._finish()
        return iter(())
