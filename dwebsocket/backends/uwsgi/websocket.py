"""The WebSocket over uWSGI's descriptor."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.http import HttpRequest

from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.uwsgi.descriptor import take_socket
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.transports import Transport, create_transport

__all__ = ["UwsgiWebSocket"]

EMPTY = BytesIO()


class UwsgiWebSocket(SocketWebSocket):
    """Takes the connection away from uWSGI for good: it gets no socket back, and needs none."""

    __slots__ = ("_fd", "_request", "_server", "_sock")

    def __init__(self, request: HttpRequest, server: Server, fd: int) -> None:
        super().__init__(request)
        self._request = request
        self._server = server
        self._fd = fd
        self._sock: Any = None

    def take_transport(self) -> tuple[Transport, bytes]:
        self._sock = take_socket(self._fd, gevent=self._server.is_gevent)
        return create_transport(self._sock), b""

    def detach(self) -> bool:
        # With processes and threads a request is as good a place for a view as any other.
        return self._server.is_gevent or self._server.is_shared

    def leave_server(self, run: Callable[[], None]) -> bool:
        if not super().leave_server(run):
            return False
        # uWSGI empties its own when the request ends, and frees what reads the body.
        environ = {**self._request.META, "wsgi.input": EMPTY}
        self._request.META = self._request.environ = environ  # type: ignore[attr-defined]
        self._request._stream = EMPTY
        return True

    def finish(self) -> None:
        if self._sock is not None:
            super().finish()
            self._sock.close()
