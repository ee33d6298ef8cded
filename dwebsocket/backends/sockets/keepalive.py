"""Pings to peers that are silent, and the end of those that stay so. The sweeper asks."""

from __future__ import annotations

from typing import Protocol

from dwebsocket.backends.sockets.reader import Reader
from dwebsocket.backends.sockets.writer import Writer
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import Opcode, build_frame_header
from dwebsocket.protocol.state import ConnectionState
from dwebsocket.transports import Transport

__all__ = ["Pinged", "ping_or_drop"]


class Pinged(Protocol):
    """The WebSocket."""

    _pinged: float | None  # when it was, if that has not been answered
    _reader: Reader
    _state: ConnectionState
    _transport: Transport
    _writer: Writer

    def _lose(self, reason: str) -> None: ...


def ping_or_drop(
    websocket: Pinged, now: float, interval: float | None, timeout: float | None
) -> bool:
    """Send a Ping after ``interval`` seconds of silence; whether the peer was dropped because it
    left one unanswered for ``timeout`` seconds. Never blocks.
    """
    reader, writer = websocket._reader, websocket._writer
    if websocket._state.reading:
        if now > reader.last_received + conf.CLOSE_TIMEOUT and now > reader.answering:
            reader.reply_close()
        return False
    if websocket._pinged is not None and reader.last_received > websocket._pinged:
        websocket._pinged = None  # answered
    if interval is None or now - reader.last_received < interval:
        return False
    driver = writer.driver
    if driver is not None and (driver.busy or writer.is_held or websocket._transport.has_unread()):
        return False  # the loop does not read meanwhile, or has not come to it
    if websocket._pinged is None:
        websocket._pinged = now
        writer.outbox.frames.append(build_frame_header(Opcode.PING, 0))
        writer.try_flush()
        return False
    reader.poll()
    last = max(websocket._pinged, reader.last_received)
    if websocket._state.reading or timeout is None or now - last < timeout:
        return False
    websocket._lose(f"the peer did not answer a Ping within {timeout} seconds")
    return True
