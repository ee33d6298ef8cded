"""Makes WebSockets on WSGI servers; the default of ``WEBSOCKET_FACTORY_CLASS`` there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.http import HttpResponse

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.beside import BESIDE, THREADS, Beside, Starter, run_in
from dwebsocket.backends.default.servers import SocketTakeover, find_takeover
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.sockets.deferred import defer
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.transports import Transport, create_transport, find_transport_class
from dwebsocket.websocket import BaseWebSocket

__all__ = ["WebSocketFactory"]


class WebSocketFactory(BaseWebSocketFactory):
    """Makes a WebSocket over the raw socket of the WSGI server."""

    @cached_property
    def takeover(self) -> SocketTakeover:
        """How the server that runs the request lets go of its socket."""
        return find_takeover(self.request.META)

    def get_http_version(self) -> str:
        try:
            return self.takeover.http_version
        except SocketTakeoverError:  # said when it comes to taking the socket
            return super().get_http_version()

    def find_starter(self) -> Starter | None:
        takeover = self.takeover
        transport_class = find_transport_class(takeover.get_socket())
        if not (takeover.lets_go and transport_class.detaches):
            return None
        if takeover.few_threads:
            return THREADS if conf.VIEW_THREADS > 0 else None
        return run_in(transport_class) if transport_class.frees_memory else None

    def find_transport_class(self) -> type[Transport]:
        try:
            return find_transport_class(self.takeover.get_socket())
        except SocketTakeoverError:  # polls need none
            return super().find_transport_class()

    def defer(self, reply: Reply) -> HttpResponse:
        takeover = self.refusing_takeover
        if takeover is None or not (takeover.lets_go and self.find_transport_class().detaches):
            return super().defer(reply)
        finish, beside = defer(takeover, reply), self.request.META.get(BESIDE)
        if beside is None:
            finish()
        else:
            beside.call_in_server(finish)
        return HttpResponse()

    @property
    def refusing_takeover(self) -> SocketTakeover | None:
        """The way to the connection that ends behind a refusal."""
        try:
            takeover = self.takeover
        except SocketTakeoverError:  # it does not let go of its socket: its own affair
            return None
        # In HTTP/2 the socket carries other requests, too.
        return takeover if takeover.http_version.startswith("HTTP/1.") else None

    def find_request_log(self) -> Callable[[str, int, str], None] | None:
        return self.takeover.find_request_log()

    def expect_refusal(self, response: Any = None) -> None:
        # Not by a header of the response: most servers drop it, or refuse it, or add their own.
        if takeover := self.refusing_takeover:
            beside: Beside | None = self.request.META.get(BESIDE)
            if beside is None:
                takeover.expect_refusal()
            else:  # the server's own functions run there
                beside.call_in_server(takeover.expect_refusal)

    def hang_up(self) -> None:
        takeover = self.refusing_takeover
        if takeover and takeover.writes_at_once:
            takeover.take_early_bytes()
            create_transport(takeover.get_socket()).hang_up()

    def create_websocket(self) -> BaseWebSocket | None:
        if not self.is_websocket():
            return None
        return self.build(SocketWebSocket, self.request, self.takeover)

    def get_wsgi_sock(self) -> Any:
        """The server's socket object."""
        return self.takeover.get_socket()
