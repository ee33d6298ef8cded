"""The events that wait to be given to the server (ASGI specification, "Send")."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from dwebsocket.protocol.deflate import PerMessageDeflate
from dwebsocket.protocol.frames import RSV1, build_frame_header
from dwebsocket.websocket import BytesLike, as_bytes

from .connection import Event

__all__ = ["EVENT_COST", "Item", "as_event", "build_accept", "build_close", "build_compressed"]

#: Counted for each event that waits, besides its bytes: small ones cost more than these.
EVENT_COST = 256

#: An event, or ``None`` for what only keeps a place; its cost in bytes; a future to set when it has
#: been sent.
Item = tuple[Event | None, int, asyncio.Future[None] | None]


def as_event(message: str | BytesLike) -> tuple[Event, int]:
    """What the server gets for a message, and how many bytes it holds.

    Raises:
        UnicodeEncodeError: text that cannot be sent.
        TypeError: neither text nor bytes.
    """
    if isinstance(message, str):
        # Raises here for what is no text: the server would take it for the connection's end.
        size = len(message) if message.isascii() else len(message.encode())
        return {"type": "websocket.send", "text": message}, size
    payload = as_bytes(message)
    return {"type": "websocket.send", "bytes": payload}, len(payload)


def build_accept(subprotocol: str | None, headers: Mapping[str, str]) -> Event:
    """The answer to the handshake: 101."""
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "websocket.accept", "subprotocol": subprotocol, "headers": encoded}


def build_close(code: int, reason: str) -> Event:
    """Our Close."""
    return {"type": "websocket.close", "code": int(code), "reason": reason}


def build_compressed(opcode: int, payload: bytes, deflate: PerMessageDeflate) -> bytes:
    """The frame of a compressed message, to be sent at once: the order may matter."""
    compressed = deflate.compress(payload)
    return build_frame_header(opcode | RSV1, len(compressed)) + compressed
