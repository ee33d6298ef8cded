"""What the backends that hold a socket or a descriptor share: a WebSocket, put together from parts.

Each part knows the others, and the WebSocket, by a Protocol::

    Takeover         takes the connection from the server
    SocketWebSocket  the handshakes, messages, Pings
    Reader           feeds the protocol; for the holder of the read lock
    Writer           writes, our Close last; for the holder of its lock
    Batch            holds answers back that leave together
    WriteWatcher     told when the socket takes data again
    Driver           reads as well, on behalf of a handler
    CoroutineUse     waits for the socket in an event loop
    sweeper          looks after all that are open

``keepalive`` has what the sweeper asks of each, and ``detaching`` the runners. ``departing``,
``arriving`` and ``transit`` have connections that go from one process to another, and ``ending``
has the end of a process. ``decompressing`` has threads take turns at large messages.
"""

from .websocket import SocketWebSocket

__all__ = ["SocketWebSocket"]
