"""Makes WebSockets under uWSGI, where the connection is a bare descriptor."""

from __future__ import annotations

import importlib
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.beside import THREADS, Starter, run_in
from dwebsocket.backends.places import Place
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.sockets.deferred import defer
from dwebsocket.backends.uwsgi.advice import check_server, warn_once
from dwebsocket.backends.uwsgi.native import NativeWebSocket
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.backends.uwsgi.takeover import UwsgiTakeover
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.transports import Transport
from dwebsocket.websocket import BaseWebSocket

__all__ = ["uWsgiNativeWebSocketFactory", "uWsgiWebSocketFactory"]


class uWsgiWebSocketFactory(BaseWebSocketFactory):  # noqa: N801 (the name since dwebsocket 0.4)
    """Our codec over uWSGI's descriptor."""

    def find_starter(self) -> Starter | None:
        server = find_server()
        if server.ends_tls(find_descriptor(server, self.request.META)):
            return None
        if server.is_gevent:
            return run_in(self.find_transport_class())
        # A view that waits would stop all others that take turns with it.
        needed = server.is_shared or conf.VIEW_THREADS > 0
        return THREADS if server.has_threads and needed else None

    def find_transport_class(self) -> type[Transport]:
        if not find_server().is_gevent:
            return super().find_transport_class()
        from dwebsocket.transports.gevent import PlainTransport

        return PlainTransport

    def find_place(self) -> Place:
        server = find_server()
        if not (server.is_gevent or server.has_threads):
            raise SocketTakeoverError(
                "A WebSocket that goes on without its connection cannot work here: give uWSGI "
                "--enable-threads."
            )
        return super().find_place()

    def defer(self, reply: Reply) -> HttpResponse:
        server = find_server()
        fd = find_descriptor(server, self.request.META)
        if server.ends_tls(fd):
            return super().defer(reply)
        defer(UwsgiTakeover(self.request, server, fd), reply)()
        return HttpResponse()

    def expect_refusal(self, response: Any = None) -> None:
        # It passes on what the application says, closes behind each response, and says nothing.
        if isinstance(response, HttpResponseBase):
            response.headers["Connection"] = "close"

    def create_websocket(self) -> BaseWebSocket | None:
        if not self.is_websocket():
            return None
        server = find_server()
        check_server(server, self.request.META)
        fd = find_descriptor(server, self.request.META)
        if server.ends_tls(fd):
            return self.create_native(server, fd)
        warn_once(server, self.request.META)
        return self.build(SocketWebSocket, self.request, UwsgiTakeover(self.request, server, fd))

    def create_native(self, server: Server, fd: int) -> BaseWebSocket:
        """A WebSocket where uWSGI itself ends TLS."""
        raise SocketTakeoverError(
            "WebSockets cannot work here: with --https-socket only uWSGI's own WebSocket calls see "
            "through the TLS, and any client can crash the worker through them. Use --https with "
            "--http-websockets, or a proxy that ends TLS. For clients that you trust there is "
            "uWsgiNativeWebSocketFactory."
        )


class uWsgiNativeWebSocketFactory(uWsgiWebSocketFactory):  # noqa: N801
    """Uses uWSGI's own calls where nothing else works; see its page for what that costs."""

    def create_native(self, server: Server, fd: int) -> BaseWebSocket:
        if server.is_shared:
            raise SocketTakeoverError(
                "WebSockets cannot work here: with --https-socket the view runs in uWSGI's own "
                "turns, and with --async or --ugreen one that waits would stop all others. Use "
                "--gevent N or --threads N instead."
            )
        return self.build(NativeWebSocket, self.request, server, fd)


class Input:
    """Stands for uWSGI's own ``wsgi.input`` of a request without a body."""

    __module__ = "uwsgi"

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


def find_descriptor(server: Server, environ: dict[str, Any]) -> int:
    """The descriptor of the connection.

    Raises:
        SocketTakeoverError: something between uWSGI and Django hides it.
    """
    stream = environ["wsgi.input"]
    if type(stream).__module__ != "uwsgi":
        try:  # knows the requests of uWSGI's own threads only
            stream = environ["wsgi.input"] = Input(server.uwsgi.connection_fd())
        except SystemError as error:
            raise SocketTakeoverError(
                f"WebSockets cannot work here: wsgi.input is {type(stream).__module__}."
                f"{type(stream).__qualname__} instead of uWSGI's own, and the view runs in another "
                "thread than the request. Have that WSGI middleware leave requests with Upgrade "
                "alone."
            ) from error
    fd: int = stream.fileno()
    return fd


def find_server() -> Server:
    """The uWSGI that runs this process.

    Raises:
        SocketTakeoverError: none does.
    """
    try:
        return Server(importlib.import_module("uwsgi"))  # exists only inside uWSGI
    except ImportError as error:
        raise SocketTakeoverError(
            "WEBSOCKET_FACTORY_CLASS names the uWSGI backend, but this process is not run by "
            "uWSGI. Remove the setting: the backend is chosen by the server."
        ) from error
