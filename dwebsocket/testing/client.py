"""``WebSocketClient``: Django's test client plus ``websocket()``.

The view runs in a thread, below the whole middleware stack, behind runserver's request handler on
one end of a socket pair; the test holds the other end. So the bytes are real, and no port is used.

Handlers and async views go on when their request has ended, in other threads, as on every server.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from django.test import Client
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .errors import ViewErrors
from .handshake import Handshake, plan_handshake
from .refusal import WebSocketRefused, join_headers
from .server import ServerThread
from .session import TIMEOUT, WebSocketSession

__all__ = ["WebSocketClient"]


class WebSocketClient(Client):
    """The test client, which can also open WebSockets with its cookies and its login."""

    def websocket(
        self,
        path: Any,
        *,
        query_params: Mapping[str, Any] | None = None,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        timeout: float = TIMEOUT,
        raise_request_exception: bool | None = None,
        in_request: bool = False,
    ) -> WebSocketSession:
        """Open a WebSocket; use it as a context manager.

        Args:
            path: with the query string, if there is one; or all of it: ``wss://host/path``.
            query_params: further parameters of the query string.
            subprotocols: those to offer.
            headers: further headers of the handshake.
            origin: what a browser would send; without it no check of the origin takes place.
            timeout: seconds that each step may take.
            raise_request_exception: whether what the view or handler raises is raised in the test;
                ``None``: what the client was made with, ``True`` by default.
            in_request: have all of it in the thread of the request, within its middleware. No
                server does so with handlers and async views.

        Raises:
            WebSocketRefused: the answer was not a 101.
            TimeoutError: there was no answer.
        """
        handshake = plan_handshake(self, path, query_params, subprotocols, headers, origin)
        errors = ViewErrors(self, raise_request_exception)
        return open_session(handshake, errors, timeout, in_request=in_request)


def open_session(
    handshake: Handshake, errors: ViewErrors, timeout: float, *, in_request: bool
) -> WebSocketSession:
    """Start a server for the connection, and have the handshake with it."""
    __tracebackhide__ = True
    protocol = ClientProtocol(
        parse_uri(handshake.url),
        subprotocols=[Subprotocol(name) for name in handshake.subprotocols] or None,
        max_size=None,
    )
    secure = {"HTTPS": "on", "SERVER_PORT": "443"} if handshake.scheme == "wss" else {}
    server_end, client_end = socket.socketpair()
    server = ServerThread(
        server_end, errors.hear, in_request=in_request, environ={**handshake.environ, **secure}
    )
    server.start()
    connection = ClientConnection(
        client_end, protocol, ping_interval=None, close_timeout=timeout, max_queue=None
    )
    try:
        connection.handshake(Headers(handshake.headers), timeout=timeout)
        connection.__enter__()  # websockets warns of a connection used without
        return WebSocketSession(connection, server, errors, timeout)
    except InvalidStatus as error:
        server.join(timeout)
        refusal: Exception = make_refusal(error.response)
    except InvalidMessage as error:  # the server has hung up
        server.join(timeout)
        refusal = error
    errors.raise_first()
    raise refusal


def make_refusal(response: Response) -> WebSocketRefused:
    headers = join_headers(response.headers.raw_items())
    return WebSocketRefused(response.status_code, headers, bytes(response.body or b""))
