"""A WebSocket over HTTP/2 (RFC 8441) is one stream of a connection that carries others, too.

hypercorn, the one ASGI server that has them, goes on taking what is sent while the client's window
for the stream is closed (``StreamBuffer.pop`` wakes who waits although it has popped nothing): so
we wait ourselves. And such a stream is ended alone, with RST_STREAM.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .connection import AsgiConnection

__all__ = ["Http2Stream", "find_stream"]

#: Bytes that the server may hold of one stream before whoever sends more waits.
MAX_UNWRITTEN = 65536

#: Error code of RST_STREAM: the stream is no longer needed (RFC 9113, section 7; RFC 8441,
#: section 5, has it in the place of TCP's reset).
CANCEL = 0x8

#: Tasks that end a stream: a loop does not keep them itself.
ending: set[asyncio.Task[None]] = set()


class Http2Stream:
    """What hypercorn has of one stream.

    Args:
        protocol: its ``H2Protocol``, which all streams of the connection share.
        stream_id: the number of the stream.
    """

    __slots__ = ("_protocol", "_stream_id")

    def __init__(self, protocol: Any, stream_id: int) -> None:
        self._protocol = protocol
        self._stream_id = stream_id

    async def drain(self) -> None:
        """Wait until the server has written what it was given, if that is much."""
        buffer = self._protocol.stream_buffers.get(self._stream_id)
        if buffer is not None and len(buffer.buffer) >= MAX_UNWRITTEN:
            await buffer.drain()

    def reset(self) -> None:
        """End the stream, whatever waits in it; the others of the connection go on."""
        task = asyncio.get_running_loop().create_task(self._reset())
        ending.add(task)
        task.add_done_callback(ending.discard)

    async def _reset(self) -> None:
        from h2.exceptions import ProtocolError
        from hypercorn.events import RawData

        protocol = self._protocol
        try:
            protocol.connection.reset_stream(self._stream_id, CANCEL)
        except ProtocolError:  # the stream, or the connection, has ended
            pass
        buffer = protocol.stream_buffers.get(self._stream_id)
        if buffer is not None:
            await buffer.close()  # whoever waits for it goes on
        await protocol.handle(RawData(b""))  # nothing has come, but it writes what is to be written


def find_stream(connection: AsgiConnection) -> Http2Stream | None:
    """The stream of a WebSocket over HTTP/2, ``None`` in HTTP/1.1 or where an ASGI middleware has
    put another ``send`` in the place of the server's.
    """
    if not connection.scope.get("http_version", "1.1").startswith("2"):
        return None
    stream = getattr(connection.send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    if stream is None or not hasattr(protocol, "stream_buffers"):
        return None
    return Http2Stream(protocol, stream.stream_id)
