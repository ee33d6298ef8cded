"""Aborting the connection of a peer that reads nothing. The ASGI specification has no way to do it:
a server that is told to close waits until all that it has taken has been sent, perhaps for ever,
and so does its shutdown.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .connection import AsgiConnection
from .http2 import find_stream

__all__ = ["abort", "find_transport"]

#: Senders behind one another; hypercorn has three.
MAX_DEPTH = 3


def abort(connection: AsgiConnection) -> None:
    """Close the transport at once, without sending what waits, where the server can be made to: all
    but granian. In HTTP/2, where the client may have other requests on the same connection, this
    resets the stream alone. In the loop.
    """
    if connection.scope.get("http_version", "1.1") != "1.1":
        stream = find_stream(connection)
        if stream is not None:
            stream.reset()
        return
    transport = find_transport(connection.send)
    # asyncio's name, and Twisted's.
    hang_up = getattr(transport, "abort", None) or getattr(transport, "abortConnection", None)
    if hang_up is not None:
        hang_up()


def find_transport(send: Any) -> Any:
    """What the server writes to, or ``None``: ``send`` is a method of whoever does that, or of one
    who sends through another one (hypercorn); or it is given that one (daphne).
    """
    sender = send.args[0] if isinstance(send, partial) else getattr(send, "__self__", None)
    for _ in range(MAX_DEPTH):
        writer: Any = getattr(sender, "writer", sender)
        if hasattr(writer, "transport"):
            return writer.transport
        sender = getattr(getattr(sender, "send", None), "__self__", None)
    return None
