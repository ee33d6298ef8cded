"""A connection that is taken from its server with its descriptor: what views and handlers that are
not async use then is a socket, as under WSGI.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from dwebsocket.backends.beside import BESIDE
from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.backends.sockets import sweeper
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.transports import Transport
from dwebsocket.transports.descriptors import find_dead
from dwebsocket.transports.detach import ABOVE_SELECT, duplicate
from dwebsocket.transports.threads import PlainTransport

from . import serving
from .connection import CONNECTION, AsgiConnection
from .servers import AsgiTakeover
from .servers.base import ENDED

__all__ = ["DescriptorTakeover", "can_give_descriptor"]


def can_give_descriptor(takeover: AsgiTakeover) -> bool:
    """Whether its connection is a plain socket, of a platform that has what a plain one takes."""
    transport = takeover.transport
    is_plain = transport.get_extra_info("sslcontext") is None
    return is_plain and hasattr(socket, "MSG_DONTWAIT") and get_descriptor(transport) >= 0


def get_descriptor(transport: Any) -> int:
    sock = transport.get_extra_info("socket")
    return -1 if sock is None else int(sock.fileno())


class DescriptorTakeover(Takeover):
    """Takes it, in the server's loop, on behalf of a thread.

    Args:
        meta: the request's, which knows of the connection until the server's request ends.
        many: whether there may be very many such connections.
    """

    def __init__(
        self,
        meta: dict[str, Any],
        connection: AsgiConnection,
        server: AsgiTakeover,
        *,
        many: bool,
    ) -> None:
        self._meta = meta
        self._connection = connection
        self._server = server
        self._many = many

    def take_transport(self) -> tuple[Transport, bytes]:
        member = Member(self._server)
        descriptor, early = self._connection.call_and_wait(take, self._server, member, self._many)
        transport = TakenTransport(socket.socket(fileno=descriptor), member)
        transport.adopt()
        self._connection.is_taken = True
        return transport, early

    @property
    def others(self) -> int:
        return serving.count()

    def finish_response(self) -> None:
        for name in (CONNECTION, BESIDE):
            self._meta.pop(name, None)

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return find_stop_signal()


class Nobody(asyncio.Protocol):
    """The protocol of a transport that ends."""


NOBODY = Nobody()


def take(server: AsgiTakeover, member: Member, many: bool) -> tuple[int, bytes]:
    """A descriptor of ours, and what has come early. In the loop.

    Args:
        many: whether there may be very many such connections.
    """
    transport = server.transport
    if server.has_ended:  # who uses it finds that out
        server.register(member)
        return duplicate(find_dead()), b""
    own = get_descriptor(transport)
    descriptor = duplicate(own, ABOVE_SELECT if many or own > ABOVE_SELECT // 2 else 0)
    early = server.take_early_bytes()
    transport.set_protocol(NOBODY)
    server.release()
    server.drop_transport()  # its descriptor, not ours
    server.transport = ENDED
    server.register(member)
    return descriptor, early


class Member:
    """Stands for the connection where its server counts it."""

    __slots__ = ("_server",)

    def __init__(self, server: AsgiTakeover) -> None:
        self._server = server

    def shutdown(self) -> bool:
        """The server ends, and with it all of them, not this one alone."""
        return end_all(self._server.get_stop_code())

    def leave(self) -> None:
        """The connection has ended."""
        self._server.deregister(self)


def end_all(code: int) -> bool:
    """Close what is open beside the loop, which does not wait; whether that has been done."""
    return sweeper.find_sweeper(TakenTransport.start, TakenTransport.sleep).leave_soon(code)


class TakenTransport(PlainTransport):
    """Tells the server when the connection ends."""

    __slots__ = ("_member",)

    def __init__(self, sock: socket.socket, member: Member) -> None:
        super().__init__(sock)
        self._member = member

    def close(self) -> None:
        super().close()
        self._member.leave()

    def let_go(self) -> None:
        super().let_go()
        self._member.leave()

    def give_back(self) -> None:
        super().give_back()
        self._member.leave()
