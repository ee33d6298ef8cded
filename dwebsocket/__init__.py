"""WebSockets in ordinary Django views, on the server you already run."""

from dwebsocket.decorators import accept_websocket, require_websocket
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.handlers import JsonWebSocketHandler, WebSocketHandler

__all__ = [
    "ConnectionClosed",
    "JsonWebSocketHandler",
    "WebSocketHandler",
    "accept_websocket",
    "require_websocket",
]
