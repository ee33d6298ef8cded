"""``request.websocket``.

base        what a view can do with it, written once for all backends
primitives  what each backend says of it
"""

from dwebsocket.protocol.messages import BytesLike, Message, as_bytes

from .base import BaseWebSocket, check_reason

__all__ = ["BaseWebSocket", "BytesLike", "Message", "WebSocket", "as_bytes", "check_reason"]

#: The name up to dwebsocket 0.5.
WebSocket = BaseWebSocket
