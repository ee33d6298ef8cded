"""WebSockets in ordinary Django views, on the server you already run."""

from dwebsocket.decorators import accept_websocket, require_websocket
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.groups import Group
from dwebsocket.handlers import JsonWebSocketHandler, WebSocketHandler

__version__ = "1.0.0.dev0"

__all__ = [
    "ConnectionClosed",
    "Group",
    "JsonWebSocketHandler",
    "WebSocketHandler",
    "accept_websocket",
    "require_websocket",
]
