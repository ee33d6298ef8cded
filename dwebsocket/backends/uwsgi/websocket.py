"""The WebSocket over uWSGI's descriptor."""

from __future__ import annotations

from time import monotonic

from django.http import HttpRequest

from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.uwsgi.descriptor import copy_socket, leave_nothing
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.transports import Transport, create_transport

__all__ = ["UwsgiWebSocket"]


#: Seconds without a byte after which a peer is taken to have sent all that it was about to send.
PAUSE = 0.2


class UwsgiWebSocket(SocketWebSocket):
    """Takes the connection away from uWSGI for good: it gets no socket back, and needs none."""

    __slots__ = ("_fd", "_routed", "_routed_here", "_server")

    def __init__(self, request: HttpRequest, server: Server, fd: int) -> None:
        super().__init__(request)
        self._server = server
        self._fd = fd
        self._routed = "UWSGI_ROUTER" in request.META
        self._routed_here = server.is_routed(request.META)

    def take_transport(self) -> tuple[Transport, bytes]:
        transport = create_transport(copy_socket(self._fd, gevent=self._server.is_gevent))
        transport.adopt()
        return transport, b""

    def detach(self) -> None:
        super().detach()
        leave_nothing(self._fd, gevent=self._server.is_gevent)

    @property
    def default_max_connections(self) -> int | None:
        return self._server.router_room if self._routed_here else None

    @property
    def may_detach(self) -> bool:
        return self._server.is_gevent or self._server.has_threads

    @property
    def waits_in_greenlets(self) -> bool:
        return self._server.is_gevent

    # uWSGI's router ends both directions when one has ended, and our Close would be torn away from
    # a peer that is still sending.

    def end_writing(self) -> None:
        if not self._routed:
            super().end_writing()

    def linger(self, deadline: float, rest: int) -> None:
        if not self._routed:
            super().linger(deadline, rest)
            return
        while rest > 0:
            _, count = self.transport.receive(min(deadline, monotonic() + PAUSE))
            if not count:
                return
            rest -= count
