"""The packets between the front and the processes with the handlers: one or more in a ZeroMQ
message.

A head of fixed length, and a body: the payload of a message as it is, JSON for a handshake, a
close code and its reason. Nothing of it is ever executed.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import Any, NamedTuple

__all__ = [
    "HEAD",
    "NOBODY",
    "VERSION",
    "Kind",
    "Packet",
    "pack",
    "pack_close",
    "pack_count",
    "pack_json",
    "read_close",
    "read_count",
    "read_json",
    "unpack",
]

#: Of what is said here; two sides that differ do not speak to each other.
VERSION = 2

#: Kind, flags, the connection's id, the packet's number, the number up to which those of the other
#: direction have been worked on, and the length of the body.
HEAD = struct.Struct("!BB16sQQI")
CLOSE, COUNT = struct.Struct("!H"), struct.Struct("!Q")

#: The id in packets that concern no connection.
NOBODY = bytes(16)


class Kind(IntEnum):
    """What a packet says."""

    # From a process with handlers
    HELLO = 1  # I am here, and take connections
    BEAT = 2  # I am still here (both directions)
    ACCEPT = 3  # the handshake is accepted
    REFUSE = 4  # it is not, and this is the response
    ACK = 5  # worked on, up to this number
    PING = 6
    CLOSE = 7  # begin the closing handshake (from the front: the client has begun it)
    ABORT = 8  # hang up
    BYE = 9  # somebody else may have this connection, and this is its state
    LEAVING = 10  # I take no further connections
    GONE = 11  # that was the last of me
    # Both directions
    TEXT = 16
    BINARY = 17
    # From the front
    WELCOME = 32  # here I am; whoever knows another front has lost it
    OPEN = 33  # a handshake, or a connection that was somebody else's
    CLOSED = 34  # the connection has ended
    CREDIT = 35  # the client has taken so many bytes


class Packet(NamedTuple):
    """One of them.

    Attributes:
        kind: what it says.
        redelivered: a message that another process may have worked on.
        connection: the id of its connection.
        number: the packet's, counted for its connection and its direction from 1.
        acknowledged: up to this number those of the other direction have been worked on.
        body: the rest.
    """

    kind: Kind
    redelivered: bool
    connection: bytes
    number: int
    acknowledged: int
    body: bytes


KINDS = {int(kind): kind for kind in Kind}


def pack(
    kind: Kind,
    connection: bytes = NOBODY,
    number: int = 0,
    acknowledged: int = 0,
    body: bytes = b"",
    *,
    redelivered: bool = False,
) -> bytes:
    """A packet as bytes."""
    return HEAD.pack(kind, redelivered, connection, number, acknowledged, len(body)) + body


def unpack(data: bytes) -> list[Packet]:
    """The packets that these bytes are.

    Raises:
        ValueError: they are none, or something else is among them.
    """
    packets, start, size = [], 0, len(data)
    while start < size:
        if size - start < HEAD.size:
            raise ValueError("cut off")
        code, flags, connection, number, acknowledged, length = HEAD.unpack_from(data, start)
        start += HEAD.size
        end = start + length
        kind = KINDS.get(code)
        if kind is None or flags > 1 or end > size:
            raise ValueError("no packet")
        packets.append(Packet(kind, flags == 1, connection, number, acknowledged, data[start:end]))
        start = end
    if not packets:
        raise ValueError("nothing")
    return packets


def pack_json(content: Any) -> bytes:
    """JSON as the body of a packet."""
    return json.dumps(content, separators=(",", ":")).encode()


def read_json(body: bytes) -> dict[str, Any]:
    """The object that the body holds.

    Raises:
        ValueError: it holds none.
    """
    try:
        content = json.loads(body)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content


def pack_close(code: int, reason: str) -> bytes:
    """A close code and its reason."""
    return CLOSE.pack(code) + reason.encode()


def read_close(body: bytes) -> tuple[int, str]:
    """The close code and the reason that the body holds.

    Raises:
        ValueError: it holds none.
    """
    if len(body) < CLOSE.size:
        raise ValueError("no close code")
    return CLOSE.unpack_from(body)[0], body[CLOSE.size :].decode()


def pack_count(count: int) -> bytes:
    """A number of bytes."""
    return COUNT.pack(count)


def read_count(body: bytes) -> int:
    """The number that the body holds.

    Raises:
        ValueError: it holds none.
    """
    if len(body) != COUNT.size:
        raise ValueError("no number")
    count: int = COUNT.unpack(body)[0]
    return count
