"""What a message looks like on its way: its sender, its number among what that one has sent to the
group, its kind, and its content.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dwebsocket.protocol.frames import build_close

__all__ = [
    "BEHIND",
    "KEPT",
    "Closing",
    "Envelope",
    "Parcel",
    "PresenceChanged",
    "encode",
    "identify",
    "pack",
    "unpack",
]

#: Version of this format, kind, origin, number.
HEADER = struct.Struct("!BB8sQ")
VERSION = 1
TEXT, BINARY, CLOSE, PRESENCE = 1, 2, 8, 16

#: In the place of the version: a position comes before the rest. The message has this position; or
#: it is not kept, and belongs behind the one that has it.
KEPT, BEHIND = b"\x02", b"\x03"


class Closing(NamedTuple):
    """Sent in the place of a message: all members are to be closed."""

    code: int
    reason: str


class PresenceChanged(NamedTuple):
    """Sent in the place of a message: somebody has come or gone. No member gets it."""


#: What is carried.
Envelope = str | bytes | Closing | PresenceChanged


class Parcel(NamedTuple):
    """A message on its way.

    Attributes:
        origin: who sent it, eight random bytes.
        number: counts what that sender has sent to this group, from 1 on.
        content: what was sent.
    """

    origin: bytes
    number: int
    content: Envelope


def encode(content: Envelope) -> tuple[int, bytes]:
    """Its kind, and what is carried of it.

    Raises:
        UnicodeEncodeError: half a surrogate pair is no text.
    """
    if isinstance(content, str):
        return TEXT, content.encode()
    if isinstance(content, bytes):
        return BINARY, content
    if isinstance(content, PresenceChanged):
        return PRESENCE, b""
    return CLOSE, content.code.to_bytes(2, "big") + content.reason.encode()


def pack(kind: int, body: bytes, origin: bytes, number: int) -> bytes:
    """The bytes that are carried."""
    return HEADER.pack(VERSION, kind, origin, number) + body


def unpack(data: bytes) -> Parcel:
    """What ``pack`` has made.

    Raises:
        ValueError: it is not one of ours.
    """
    if len(data) < HEADER.size:
        raise ValueError(f"{len(data)} bytes, less than the header of a group's message")
    version, kind, origin, number = HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"version {version} of the format, this process understands {VERSION}")
    body = data[HEADER.size :]
    if kind == TEXT:
        return Parcel(origin, number, body.decode())
    if kind == BINARY:
        return Parcel(origin, number, body)
    if kind == PRESENCE:
        return Parcel(origin, number, PresenceChanged())
    if kind == CLOSE and len(body) >= 2:
        closing = Closing(int.from_bytes(body[:2], "big"), body[2:].decode())
        build_close(*closing)  # raises for what may not be sent
        return Parcel(origin, number, closing)
    raise ValueError(f"kind {kind} of message")


def identify(data: bytes) -> bytes:
    """What no two messages have in common."""
    return data[: HEADER.size]
