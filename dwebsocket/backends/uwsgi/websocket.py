"""The WebSocket over uWSGI's descriptor."""

from __future__ import annotations

from django.http import HttpRequest

from dwebsocket.backends.leaving import LeavingWebSocket
from dwebsocket.backends.uwsgi.descriptor import take_socket
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.conf import conf
from dwebsocket.transports import Transport, create_transport

__all__ = ["UwsgiWebSocket"]


class UwsgiWebSocket(LeavingWebSocket):
    """Takes the connection away from uWSGI for good: it gets no socket back, and needs none."""

    __slots__ = ("_fd", "_server")

    def __init__(self, request: HttpRequest, server: Server, fd: int) -> None:
        super().__init__(request)
        self._server = server
        self._fd = fd

    def take_transport(self) -> tuple[Transport, bytes]:
        transport = create_transport(take_socket(self._fd, gevent=self._server.is_gevent))
        transport.adopt()
        return transport, b""

    @property
    def takes_thread(self) -> bool:
        server = self._server
        if server.is_gevent or not server.has_threads:
            return False
        # A view that waits would stop all others that take turns with it.
        return server.is_shared or conf.VIEW_THREADS > 0

    @property
    def may_leave(self) -> bool:
        return self._server.is_gevent or self._server.has_threads
