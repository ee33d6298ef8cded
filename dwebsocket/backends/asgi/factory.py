"""Makes WebSockets under ASGI."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from dwebsocket.backends.base import BaseWebSocketFactory, read_handshake
from dwebsocket.backends.beside import BESIDE
from dwebsocket.backends.places import Place
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.runner import Use
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.handshake import check_request
from dwebsocket.websocket import BaseWebSocket

from .answering import Beside
from .connection import CONNECTION, POLL, AsgiConnection
from .loop_websocket import LoopWebSocket
from .place import AsgiPlace, DeferredResponse
from .taking import DescriptorTakeover, can_give_descriptor
from .websocket import AsgiWebSocket

__all__ = ["WebSocketFactory"]

NO_POLLS = (
    "Polls cannot open a WebSocket here: the request has come to another application than "
    "dwebsocket's. Have asgi.py say application = dwebsocket.asgi.get_websocket_application()."
)


class WebSocketFactory(BaseWebSocketFactory):
    """The WebSocket that the server has announced to ``dwebsocket.asgi``."""

    def is_websocket(self) -> bool:
        return CONNECTION in self.request.META or super().is_websocket()

    def get_http_version(self) -> str:
        scope = getattr(self.request, "scope", {})
        return f"HTTP/{scope.get('http_version', '1.1')}"

    def check_handshake(self) -> None:
        """Check what the server has checked: not every one has looked at all of it."""
        if self.get_http_version().startswith("HTTP/1"):  # HTTP/2 has a handshake of its own
            check_request(read_handshake(self.request, self.get_http_version()))

    def find_place(self) -> Place:
        connection = self.find_connection()
        if connection is None:
            raise SocketTakeoverError(NO_POLLS)
        return AsgiPlace(connection)

    def find_connection(self) -> AsgiConnection | None:
        """The call of the server that this request is of."""
        meta = self.request.META
        found: AsgiConnection | None = meta.get(CONNECTION) or meta.get(POLL)
        return found

    def defer(self, reply: Reply) -> HttpResponse:
        if self.find_connection() is None:
            return super().defer(reply)
        return DeferredResponse(reply)

    def expect_refusal(self, response: Any = None) -> None:
        # Servers pass it on, and hang up; to a handshake that is one we answer so anyway.
        if isinstance(response, HttpResponseBase) and self.get_http_version().startswith("HTTP/1"):
            response.headers["Connection"] = "close"

    def create_websocket(self) -> BaseWebSocket | None:
        connection: AsgiConnection | None = self.request.META.get(CONNECTION)
        if connection is not None:
            return self._create_for(connection)
        if not self.is_websocket():
            return None
        if not hasattr(self.request, "scope"):
            raise SocketTakeoverError(
                "WEBSOCKET_FACTORY_CLASS names the ASGI backend, but this process is run by a WSGI "
                "server. Remove the setting: the backend is chosen by the server."
            )
        raise SocketTakeoverError(
            "WebSockets cannot work here: the ASGI server has passed this handshake on as plain "
            "HTTP. Install what it needs for WebSockets (for uvicorn: pip install websockets), do "
            "not switch it off (uvicorn --ws none), and have asgi.py say "
            "application = dwebsocket.asgi.get_websocket_application()."
        )

    def _create_for(self, connection: AsgiConnection) -> BaseWebSocket:
        takeover, meta = connection.takeover, self.request.META
        if takeover is None:
            return self.build(AsgiWebSocket, connection)
        offer = takeover.find_extensions()
        if offer is not None:
            meta.setdefault("HTTP_SEC_WEBSOCKET_EXTENSIONS", offer)
        if self.use is Use.COROUTINE or not can_give_descriptor(takeover):
            return self.build(LoopWebSocket, self.request, connection, takeover)
        meta[BESIDE] = Beside(connection.answering)
        many = self.use is not Use.VIEW
        taking = DescriptorTakeover(meta, connection, takeover, many=many)
        return self.build(SocketWebSocket, self.request, taking)
