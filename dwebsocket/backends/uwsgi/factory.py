"""Makes WebSockets under uWSGI, where the connection is a bare descriptor."""

from __future__ import annotations

import asyncio
import importlib

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.uwsgi.advice import check_server, warn_once
from dwebsocket.backends.uwsgi.native import NativeWebSocket
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.backends.uwsgi.websocket import UwsgiWebSocket
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.websocket import BaseWebSocket

__all__ = ["uWsgiWebSocketFactory"]


class uWsgiWebSocketFactory(BaseWebSocketFactory):  # noqa: N801 (the name since dwebsocket 0.4)
    """Our codec over uWSGI's descriptor; uWSGI's own calls where that carries TLS."""

    def create_websocket(self) -> BaseWebSocket | None:
        if not self.is_websocket():
            return None
        server = find_server()
        # Not uwsgi.connection_fd(): that knows the requests of uWSGI's own threads only.
        fd = self.request.META["wsgi.input"].fileno()
        native = server.ends_tls(fd)
        check_server(server, self.request.META, native=native)
        if native and is_in_event_loop():
            raise SocketTakeoverError(
                "WebSockets cannot work here: with --https-socket an async view cannot have one, "
                "for uWSGI's calls work in the request's own thread. Use --https, or a proxy."
            )
        warn_once(server, self.request.META)
        websocket_class = NativeWebSocket if native else UwsgiWebSocket
        return self.build(websocket_class, self.request, server, fd)


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


def is_in_event_loop() -> bool:
    """Whether the caller is a coroutine: then it is in another thread than the request."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
