"""Where in a group's messages somebody is."""

from __future__ import annotations

import os
import re
import struct
from typing import NamedTuple

__all__ = [
    "EPOCH_BYTES",
    "Position",
    "create_epoch",
    "pack_position",
    "parse_position",
    "unpack_position",
]

POSITION = re.compile(r"([0-9a-f]{8}):(\d{1,18})")

#: Random bytes of an epoch.
EPOCH_BYTES = 4

#: Bytes of an epoch's text, and the offset.
PACKED = struct.Struct("!8sQ")


class Position(NamedTuple):
    """That of one message, or of the beginning (offset 0). Its text is what pages keep.

    Attributes:
        epoch: names the memory that counts; another one when that was lost.
        offset: counts the messages that were kept, from 1 on.
    """

    epoch: str
    offset: int

    @property
    def next(self) -> Position:
        """That of the message behind this one."""
        return Position(self.epoch, self.offset + 1)

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


def create_epoch() -> str:
    """The name of a new memory."""
    return os.urandom(EPOCH_BYTES).hex()


def parse_position(text: str) -> Position | None:
    """A position as a page has brought it back; ``None`` if it is none of ours."""
    found = POSITION.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else Position(found[1], int(found[2]))


def pack_position(position: Position) -> bytes:
    """What stands in front of a message on its way."""
    return PACKED.pack(position.epoch.encode(), position.offset)


def unpack_position(body: bytes) -> tuple[Position, bytes]:
    """The position, and what stands behind it.

    Raises:
        ValueError: there is none.
    """
    if len(body) < PACKED.size:
        raise ValueError(f"{len(body)} bytes, less than a position")
    epoch, offset = PACKED.unpack_from(body)
    return Position(epoch.decode(), offset), body[PACKED.size :]
