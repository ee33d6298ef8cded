"""WebSockets in ordinary Django views, on the server you already run."""

from dwebsocket.decorators import accept_websocket, require_websocket
from dwebsocket.exceptions import ConnectionClosed

__all__ = ["ConnectionClosed", "accept_websocket", "require_websocket"]
