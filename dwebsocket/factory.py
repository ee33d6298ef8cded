"""The base class of factories, where dwebsocket 0.5 had it."""

from dwebsocket.backends.base import BaseWebSocketFactory as WebSocketFactory

__all__ = ["WebSocketFactory"]
