"""What passes between two processes: items of streams, in numbered messages."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any, NamedTuple

from dwebsocket.protocol.engineio import Packet

__all__ = ["RESET", "InvalidMessage", "Item", "RelayMessage", "pack_packets", "unpack_packets"]

VERSION = 1

#: The number of a message that says which epoch of its receiver is not understood.
RESET = 0

#: A kind, and what belongs to it: all of it is JSON.
Item = list[Any]


class InvalidMessage(ValueError):
    """These bytes are none of ours."""


class RelayMessage(NamedTuple):
    """Several items, of one process for another one.

    Attributes:
        sender: the name of the process.
        epoch: random; numbers begin anew with each.
        answers: the epoch of the receiver that the sender knows; ``None``: it knows none.
        number: counts the messages of this epoch, from 1 on.
        items: each of them is ``[opened_by_sender, stream, kind, …]``.
    """

    sender: str
    epoch: str
    answers: str | None
    number: int
    items: list[Item]

    def pack(self) -> bytes:
        """The bytes that are carried. Text may hold half a surrogate pair."""
        text = json.dumps([VERSION, *self], ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")

    @classmethod
    def unpack(cls, data: object) -> RelayMessage:
        """What ``pack`` has made.

        Raises:
            InvalidMessage: it is none.
        """
        if not isinstance(data, bytes):
            raise InvalidMessage("text in the place of bytes")
        try:
            version, *values = json.loads(data.decode("utf-8", "surrogatepass"))
            message = cls(*values)
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidMessage(f"not JSON of ours: {error}") from error
        if version != VERSION or type(message.number) is not int:
            raise InvalidMessage(f"version {version!r}, this process understands {VERSION}")
        return message


def pack_packets(packets: Iterable[Packet]) -> list[Any]:
    """Packets as JSON has them: binary ones are a list of one text, base64."""
    return [p if isinstance(p, str) else [b64encode(p).decode()] for p in packets]


def unpack_packets(values: Iterable[Any]) -> list[Packet]:
    """What ``pack_packets`` has made."""
    return [value if isinstance(value, str) else b64decode(value[0]) for value in values]
