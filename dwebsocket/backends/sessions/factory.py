"""Makes the WebSocket of a session, of the request that opens it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.beside import THREADS, Starter, run_in
from dwebsocket.backends.places import Place
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.opening import (
    Opening,
    PollsOpening,
    WebSocketOpening,
    find_owner,
)
from dwebsocket.backends.sessions.websocket import SessionWebSocket
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.transports import Transport
from dwebsocket.websocket import BaseWebSocket

__all__ = ["SessionFactory"]


class SessionFactory(BaseWebSocketFactory):
    """Stands in front of the server's own.

    Args:
        factory: that one.

    Attributes:
        is_upgrade: whether the request asks for a WebSocket as a carrier, and is no poll.
    """

    def __init__(self, factory: BaseWebSocketFactory) -> None:
        super().__init__(factory.request)
        self.server = factory
        self.is_upgrade = factory.is_websocket()

    def is_websocket(self) -> bool:
        return True

    @property
    def opens_session(self) -> bool:
        """Whether a view may be run for it: it opens a session, or may have to."""
        query = self.request.GET
        return self.request.method == "GET" and ("sid" not in query or "received" in query)

    def get_http_version(self) -> str:
        return self.server.get_http_version()

    def check_handshake(self) -> None:
        if self.is_upgrade:
            self.server.check_handshake()

    def find_starter(self) -> Starter | None:
        if not self.opens_session:
            return None
        self.find_place()
        transport_class = self.find_transport_class()
        return run_in(transport_class) if transport_class.calls_anew else THREADS

    def find_request_log(self) -> Callable[[str, int, str], None] | None:
        try:
            return self.server.find_request_log()
        except SocketTakeoverError:  # polls need no socket
            return None

    def expect_refusal(self, response: Any = None) -> None:
        if self.is_upgrade:
            self.server.expect_refusal(response)

    def hang_up(self) -> None:
        if self.is_upgrade:
            self.server.hang_up()

    def find_transport_class(self) -> type[Transport]:
        return self.server.find_transport_class()

    def find_place(self) -> Place:
        return self.server.find_place()

    def defer(self, reply: Reply) -> HttpResponse:
        return self.server.defer(reply)

    def create_websocket(self) -> BaseWebSocket | None:
        place = self.find_place()
        resumes = self.request.GET.get("resume") == "1"
        opening: Opening = PollsOpening(self.request)
        if self.is_upgrade:
            websocket = self.server.create_websocket()
            assert websocket is not None  # the request asks for one
            opening = WebSocketOpening(self.request, place, websocket)
        owner = find_owner(self.request)
        return self.build(SessionWebSocket, self.request, place, opening, resumes, owner)
