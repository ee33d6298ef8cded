"""Makes WebSockets whose sockets are in the gateway's front."""

from __future__ import annotations

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.beside import THREADS, Starter
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.websocket import BaseWebSocket

from .requests import SERVING
from .websocket import GatewayWebSocket

__all__ = ["WebSocketFactory"]


class WebSocketFactory(BaseWebSocketFactory):
    """The WebSocket that the front has announced."""

    def find_starter(self) -> Starter | None:
        return THREADS if conf.VIEW_THREADS > 0 else None

    def create_websocket(self) -> BaseWebSocket | None:
        if not self.is_websocket():
            return None
        serving = self.request.META.get(SERVING)
        if serving is None:
            raise SocketTakeoverError(
                "WEBSOCKET_FACTORY_CLASS names the gateway's backend, but this process was not "
                "started by manage.py run_wsserver. Remove the setting: the backend is chosen by "
                "the server."
            )
        return self.build(GatewayWebSocket, serving.flow, serving)
