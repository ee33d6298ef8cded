"""The WebSocket over uWSGI's descriptor."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.transports import Transport, create_transport

__all__ = ["UwsgiWebSocket"]


class UwsgiWebSocket(SocketWebSocket):
    """Works on a copy of the descriptor; at the end uWSGI's own leads nowhere."""

    __slots__ = ("_fd", "_finished", "_uwsgi")

    def __init__(self, request: HttpRequest, uwsgi: Any) -> None:
        super().__init__(request)
        self._uwsgi = uwsgi
        self._finished = False

    def take_transport(self) -> tuple[Transport, bytes]:
        self._fd = self._uwsgi.connection_fd()
        return create_transport(self._open(os.dup(self._fd))), b""

    def _open(self, fd: int) -> Any:
        """A socket of the kind that uWSGI's loop waits with."""
        if self._uwsgi.opt.get("gevent"):
            from gevent.socket import socket as gevent_socket

            with socket.socket(fileno=os.dup(fd)) as plain:
                return gevent_socket(plain.family, plain.type, plain.proto, fd)
        return socket.socket(fileno=fd)

    def leave_server(self, run: Callable[[], None]) -> bool:
        return False  # the request lasts as long as the connection

    def finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        self.transport.close()
        self.transport.sock.close()
        # uWSGI logs a write to a dead socket, but not one to here.
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._fd, inheritable=False)
        os.close(nowhere)
