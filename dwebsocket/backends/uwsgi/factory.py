"""Makes WebSockets under uWSGI, where the connection is a bare descriptor."""

from __future__ import annotations

import importlib

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.uwsgi.websocket import UwsgiWebSocket
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.websocket import BaseWebSocket

__all__ = ["uWsgiWebSocketFactory"]


class uWsgiWebSocketFactory(BaseWebSocketFactory):  # noqa: N801 (the name since dwebsocket 0.4)
    """Processes, ``--threads`` and ``--gevent``; through ``--http-socket``, and through ``--http``
    with ``--http-websockets``.
    """

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
        for option, reason in UNSUPPORTED.items():
            if option in uwsgi.opt:
                raise SocketTakeoverError(f"WebSockets cannot work here: {reason}")
        return self.build(UwsgiWebSocket, self.request, uwsgi)


#: Options of uWSGI that keep the connection from us.
UNSUPPORTED = {
    "https-socket": "with --https-socket the worker's descriptor carries TLS. Use --https, or a "
    "proxy that ends TLS.",
    "ugreen": "--ugreen cannot run them. Use --gevent N or --threads N instead.",
}
