"""What a message looks like in Redis: who sent it as its how manieth, of what kind, and content."""

from __future__ import annotations

import struct
from typing import NamedTuple

from dwebsocket.groups.base import Closing, Envelope

__all__ = ["Parcel", "pack", "unpack"]

#: Version of this format, kind, origin, number.
HEADER = struct.Struct("!BB8sQ")
VERSION = 1
TEXT, BINARY, CLOSE = 1, 2, 8


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


def pack(parcel: Parcel) -> bytes:
    """The bytes that Redis carries."""
    origin, number, content = parcel
    if isinstance(content, str):
        kind, body = TEXT, content.encode()
    elif isinstance(content, bytes):
        kind, body = BINARY, content
    else:
        kind, body = CLOSE, content.code.to_bytes(2, "big") + content.reason.encode()
    return HEADER.pack(VERSION, kind, origin, number) + body


def unpack(data: bytes) -> Parcel:
    """The reverse.

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
    if kind == CLOSE and len(body) >= 2:
        return Parcel(origin, number, Closing(int.from_bytes(body[:2], "big"), body[2:].decode()))
    raise ValueError(f"kind {kind} of message")
