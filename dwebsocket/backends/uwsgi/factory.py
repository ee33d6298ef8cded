"""Makes WebSockets under uWSGI, where the connection is a bare descriptor."""

from __future__ import annotations

import importlib

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.backends.uwsgi.websocket import UwsgiWebSocket
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.websocket import BaseWebSocket

__all__ = ["uWsgiWebSocketFactory"]


class uWsgiWebSocketFactory(BaseWebSocketFactory):  # noqa: N801 (the name since dwebsocket 0.4)
    """All ways of running uWSGI."""

    def create_websocket(self) -> BaseWebSocket | None:
        if not self.is_websocket():
            return None
        try:
            uwsgi = importlib.import_module("uwsgi")  # exists only inside uWSGI
        except ImportError as error:
            raise SocketTakeoverError(
                "WEBSOCKET_FACTORY_CLASS names the uWSGI backend, but this process is not run by "
                "uWSGI. Remove the setting: the backend is chosen by the server."
            ) from error
        # Not uwsgi.connection_fd(): that knows the requests of uWSGI's own threads only.
        fd = self.request.META["wsgi.input"].fileno()
        return self.build(UwsgiWebSocket, self.request, Server(uwsgi), fd)
