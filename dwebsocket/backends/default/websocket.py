"""The WebSocket over a WSGI server's socket, by the name that it has had since dwebsocket 0.4."""

from dwebsocket.backends.sockets import SocketWebSocket as DefaultWebSocket

__all__ = ["DefaultWebSocket"]
