"""How uWSGI lets go of the descriptor of a request."""

from __future__ import annotations

from django.http import HttpRequest

from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.backends.uwsgi.descriptor import copy_socket, leave_nothing
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.transports import Transport, create_transport

__all__ = ["UwsgiTakeover"]


class UwsgiTakeover(Takeover):
    """Takes the connection away from uWSGI for good: it gets no socket back, and needs none."""

    def __init__(self, request: HttpRequest, server: Server, fd: int) -> None:
        self._server = server
        self._fd = fd
        self._is_routed = "UWSGI_ROUTER" in request.META
        self._is_routed_here = server.is_routed(request.META)

    def take_transport(self) -> tuple[Transport, bytes]:
        transport = create_transport(copy_socket(self._fd, gevent=self._server.is_gevent))
        transport.adopt()
        # Its router ends both directions when one has ended, and our Close would be torn away from
        # a peer that is still sending.
        transport.half_closes = not self._is_routed
        return transport, b""

    @property
    def max_connections(self) -> int | None:
        return self._server.router_room if self._is_routed_here else None

    @property
    def lets_go(self) -> bool:
        return self._server.is_gevent or self._server.has_threads

    @property
    def waits_in_greenlets(self) -> bool:
        return self._server.is_gevent

    def leave(self) -> None:
        leave_nothing(self._fd, gevent=self._server.is_gevent)
