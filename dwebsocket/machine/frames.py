"""What passes from one process to another: a kind, the name of a group, and bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

__all__ = ["MAX_NAME", "MAX_SIZE", "Frame", "InvalidFrame", "Kind", "build_frame", "parse_frames"]

#: Version, kind, bytes of the name, bytes of the body.
HEADER = struct.Struct("!BBHI")
VERSION = 1

#: Bytes of one frame: a longer one is no message that any WebSocket would take.
MAX_SIZE = 256 << 20
MAX_NAME = (1 << 16) - 1


class InvalidFrame(ValueError):
    """These bytes are none of ours."""


class Kind(IntEnum):
    """What a frame is about."""

    MESSAGE = 1  # of a group that keeps nothing
    KEPT = 2  # of one with a history: its body begins with the position


class Frame(NamedTuple):
    """One of them."""

    kind: int
    name: str
    body: bytes


def build_frame(kind: Kind, name: str, body: bytes) -> bytes:
    """The bytes of a frame.

    Raises:
        InvalidFrame: the name or the body is too long.
    """
    encoded = name.encode()
    if len(encoded) > MAX_NAME:
        raise InvalidFrame(f"a name of {len(encoded)} bytes, at most {MAX_NAME} are possible")
    if HEADER.size + len(encoded) + len(body) > MAX_SIZE:
        raise InvalidFrame(f"{len(body)} bytes, at most some {MAX_SIZE} are possible")
    return HEADER.pack(VERSION, kind, len(encoded), len(body)) + encoded + body


def parse_frames(buffer: bytearray) -> Iterator[Frame]:
    """Take the whole frames out of what has come.

    Raises:
        InvalidFrame: it is not ours.
    """
    start, end = 0, len(buffer)
    try:
        while end - start >= HEADER.size:
            version, kind, name_size, body_size = HEADER.unpack_from(buffer, start)
            if version != VERSION:
                raise InvalidFrame(f"version {version}, this process understands {VERSION}")
            size = HEADER.size + name_size + body_size
            if size > MAX_SIZE:
                raise InvalidFrame(f"a frame of {size} bytes")
            if end - start < size:
                return
            body = start + HEADER.size + name_size
            try:
                name = buffer[start + HEADER.size : body].decode()
            except UnicodeDecodeError as error:
                raise InvalidFrame("the name of a group that is no text") from error
            frame = Frame(kind, name, bytes(buffer[body : start + size]))
            start += size
            yield frame
    finally:
        del buffer[:start]
