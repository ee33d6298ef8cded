"""What the backends that hold a socket or a descriptor share: one class, put together from parts.

Each part derives from the one before it, and adds what it is named for::

    BaseWebSocket       what a view can do
    PostingWebSocket    sends without waiting: frames that wait, and who flushes them
    EndingWebSocket     our Close, and a connection that breaks
    ReceivingWebSocket  feeds the protocol; for the holder of the read lock
    SendingWebSocket    writes and waits; for the holder of the write lock
    SocketWebSocket     the handshake, the closing handshake, handlers, Pings
    CoroutineWebSocket  coroutines, in an event loop of their own
    DetachingWebSocket  the connection can outlive the server's request: picks a runner

A method that raises ``NotImplementedError`` in one of them is filled in by a later one, or by the
backend.
"""

from .websocket import SocketWebSocket

__all__ = ["SocketWebSocket"]
