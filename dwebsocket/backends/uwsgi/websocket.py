"""The WebSocket over uWSGI's descriptor."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from time import monotonic
from typing import Any

from django.http import HttpRequest

from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.uwsgi.descriptor import take_socket
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.transports import Transport, create_transport

__all__ = ["UwsgiWebSocket"]

EMPTY = BytesIO()

#: Seconds without a byte after which a peer is taken to have sent all that it was about to send.
PAUSE = 0.2


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

    def _linger(self, deadline: float, rest: int) -> None:
        if "UWSGI_ROUTER" not in self._request.META:
            super()._linger(deadline, rest)
            return
        # uWSGI's router ends both directions when one has ended, and our Close would be torn away
        # from a peer that is still sending.
        while rest > 0:
            _, count = self.transport.receive(min(deadline, monotonic() + PAUSE))
            if not count:
                return
            rest -= count

    def finish(self) -> None:
        if self._sock is not None:
            super().finish()
            self._sock.close()
