"""``request.websocket``.

base        what a view can do with it, written once for all backends
primitives  what each backend says of it
stamps      when it was accepted
"""

from dwebsocket.protocol.messages import BytesLike, Message, as_bytes

from .base import BaseWebSocket, wrong_timeout
from .stamps import seconds_since

__all__ = [
    "BaseWebSocket",
    "BytesLike",
    "Message",
    "WebSocket",
    "as_bytes",
    "seconds_since",
    "wrong_timeout",
]

#: The name up to dwebsocket 0.5.
WebSocket = BaseWebSocket
