"""How to write a backend.

A backend is a folder ``backends/<name>/`` with two files:

``factory.py``
    a class derived from ``BaseWebSocketFactory``. It is made for one request; its
    ``create_websocket()`` returns the WebSocket of that request, with nothing taken from the server
    and nothing written yet.
``websocket.py``
    a class derived from ``dwebsocket.websocket.BaseWebSocket`` that fills in the primitives named
    there. Over a socket or a descriptor derive from ``backends.sockets.SocketWebSocket``, which
    has them all, and say only how to take the socket.

``WEBSOCKET_FACTORY_CLASS`` names the factory. The contract tests run on every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends.beside import Starter
from dwebsocket.backends.places import BesidePlace, Place
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.runner import Use
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.legacy import legacy_class
from dwebsocket.protocol.handshake import HandshakeRequest, check_request
from dwebsocket.transports import Transport
from dwebsocket.transports.threads import PlainTransport
from dwebsocket.websocket import BaseWebSocket

__all__ = ["BaseWebSocketFactory", "read_handshake"]


#: The headers that the opening handshake looks at, and where the environ has them.
HEADERS = [
    ("connection", "HTTP_CONNECTION"),
    ("upgrade", "HTTP_UPGRADE"),
    ("sec-websocket-version", "HTTP_SEC_WEBSOCKET_VERSION"),
    ("sec-websocket-key", "HTTP_SEC_WEBSOCKET_KEY"),
]


class BaseWebSocketFactory:
    """Makes the WebSocket of one request.

    Attributes:
        request: the request, as the view will see it.
        use: what is going to use the WebSocket, once that is known; ``None``: it is to carry a
            session.
    """

    use: Use | None = None

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def is_websocket(self) -> bool:
        """Whether the request asks for a WebSocket, well or badly."""
        upgrade: str = self.request.META.get("HTTP_UPGRADE", "").lower()
        return upgrade == "websocket" or "websocket" in map(str.strip, upgrade.split(","))

    def get_http_version(self) -> str:
        """The version of HTTP that the client speaks, such as ``HTTP/1.1``."""
        version: str = self.request.META.get("SERVER_PROTOCOL", "")
        return version

    def get_websocket_version(self) -> str | None:
        """The version the client asks for."""
        version: str | None = self.request.META.get("HTTP_SEC_WEBSOCKET_VERSION")
        return version

    def check_handshake(self) -> None:
        """Look at what the client asks; nothing is taken or written yet.

        Raises:
            InvalidHandshake: it is not a good handshake.
            SocketTakeoverError: an ASGI server has checked it, and keeps the socket.
        """
        if hasattr(self.request, "scope"):
            raise SocketTakeoverError(
                "WEBSOCKET_FACTORY_CLASS names a backend for WSGI servers, but this process is run "
                "by an ASGI server. Remove the setting: the backend is chosen by the server."
            )
        check_request(read_handshake(self.request, self.get_http_version()))

    def find_starter(self) -> Starter | None:
        """What requests of views run in beside this server; ``None``: in what the server runs them.

        Raises:
            SocketTakeoverError: no WebSocket can work here.
        """
        return None

    def find_request_log(self) -> Callable[[str, int, str], None] | None:
        """Shows a line as the server shows its requests to people at a terminal, if it does:
        called with a path, a status for its colour, and a text.
        """
        return None

    def expect_refusal(self, response: Any = None) -> None:
        """A refusal is going to be written, ``response`` if it is there already: see to it that it
        says ``Connection: close``, where the server can be told (RFC 9112, 9.6).
        """

    def hang_up(self) -> None:
        """See to it that nothing is read as a request behind a refusal, which has been
        written.
        """

    def find_transport_class(self) -> type[Transport]:
        """Says how the requests of this server wait."""
        return PlainTransport

    def find_place(self) -> Place:
        """Where what uses a session goes on, whose request ends.

        Raises:
            SocketTakeoverError: nothing can go on beside this server.
        """
        return BesidePlace(self.request, self.find_transport_class())

    def defer(self, reply: Reply) -> HttpResponse:
        """What the server gets for a request that is answered when the reply is given. Waits for
        that here, unless the connection can leave the server.
        """
        decided = self.find_transport_class().create_lock()
        decided.acquire()
        reply.when_given(decided.release)
        decided.acquire()
        return reply.build()

    def create_websocket(self) -> BaseWebSocket | None:
        """The WebSocket, or ``None`` when the request does not ask for one.

        Raises:
            SocketTakeoverError: this server cannot carry one.
        """
        raise NotImplementedError

    def build(self, websocket_class: type[BaseWebSocket], *args: Any) -> BaseWebSocket:
        """An instance of the class, with the old ways on top if ``WEBSOCKET_LEGACY`` asks."""
        if conf.LEGACY:
            websocket_class = legacy_class(websocket_class)
        return websocket_class(*args)


def read_handshake(request: HttpRequest, http_version: str) -> HandshakeRequest:
    """What the opening handshake looks at, from the WSGI environ (PEP 3333)."""
    meta = request.META
    return HandshakeRequest(
        method=request.method or "",
        protocol=http_version,
        headers={name: meta[key] for name, key in HEADERS if meta.get(key) is not None},
        has_body=meta.get("CONTENT_LENGTH") not in (None, "", "0")
        or bool(meta.get("HTTP_TRANSFER_ENCODING")),
    )
