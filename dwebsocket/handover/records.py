"""What one process tells the other of connections: JSON, and the bytes that it refers to. No
pickle: what comes is read, not run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.backends.sockets.departing import Content, Late
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.protocol.messages import Message

__all__ = [
    "InvalidRecord",
    "Moved",
    "name_of_class",
    "pack_late",
    "pack_moved",
    "unpack_late",
    "unpack_moved",
]

HEADER = struct.Struct("!I")


class InvalidRecord(ValueError):
    """What has come cannot be read: it is of another version, perhaps."""


class Moved(NamedTuple):
    """One connection.

    Attributes:
        content: what its WebSocket holds, or its session.
        handler: the class, as ``module.name``.
        meta: of the handshake's request: headers, path, query, address.
        state: what ``get_state`` has returned.
        user: the key of the one who was known; ``None``: nobody was.
    """

    content: Content | SessionContent
    handler: str
    meta: dict[str, Any]
    state: dict[str, Any]
    user: str | None

    @property
    def has_descriptor(self) -> bool:
        """Whether a descriptor goes with it: not with a session that nothing carries."""
        return isinstance(self.content, Content) or self.content.carrier is not None


class Blobs:
    """The bytes behind the JSON, one after the other."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def put(self, data: bytes) -> int:
        """Put some behind the others; their number."""
        self._parts.append(data)
        return len(data)

    def pack(self, content: Any) -> bytes:
        """The JSON and all of it."""
        text = json.dumps(content).encode()
        return b"".join((HEADER.pack(len(text)), text, *self._parts))


class Reader:
    """Takes it apart.

    Raises:
        InvalidRecord: it is none of these.
    """

    def __init__(self, data: bytes) -> None:
        try:
            (size,) = HEADER.unpack_from(data)
            self.content = json.loads(data[HEADER.size : HEADER.size + size])
        except (struct.error, ValueError) as error:
            raise InvalidRecord(str(error)) from error
        self._data = data
        self._position = HEADER.size + size

    def take(self, size: int) -> bytes:
        """The next so many bytes."""
        start, self._position = self._position, self._position + size
        if size < 0 or self._position > len(self._data):
            raise InvalidRecord("it ends too early")
        return self._data[start : self._position]


def pack_moved(connections: Sequence[Moved]) -> bytes:
    """The bytes that tell of these."""
    blobs = Blobs()
    found = [{**one._asdict(), "content": put_content(blobs, one.content)} for one in connections]
    return blobs.pack(found)


#: Of a session: what is text or bytes.
MESSAGES = ("kept", "pending", "controls", "ready")


def put_content(blobs: Blobs, content: Content | SessionContent) -> dict[str, Any]:
    fields = content._asdict()
    if isinstance(content, SessionContent):
        for name in MESSAGES:
            fields[name] = put_messages(blobs, fields[name])
        if content.carrier is not None:
            fields["carrier"] = put_content(blobs, content.carrier)
    else:
        fields["unread"] = blobs.put(content.unread)
        fields["unsent"] = blobs.put(content.unsent)
        fields["ready"] = put_messages(blobs, content.ready)
    return fields


def put_messages(blobs: Blobs, messages: Sequence[Message]) -> list[tuple[bool, int]]:
    return [put_message(blobs, message) for message in messages]


def put_message(blobs: Blobs, message: Message) -> tuple[bool, int]:
    is_text = isinstance(message, str)
    data = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
    return is_text, blobs.put(bytes(data))


def unpack_moved(data: bytes) -> list[Moved]:
    """What ``pack_moved`` was given.

    Raises:
        InvalidRecord: it is none of these.
    """
    reader = Reader(data)
    try:
        return [unpack_one(reader, one) for one in reader.content]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InvalidRecord(f"it cannot be understood: {error!r}") from error


def unpack_one(reader: Reader, one: dict[str, Any]) -> Moved:
    return Moved(**{**one, "content": take_content(reader, one["content"])})


def take_content(reader: Reader, given: dict[str, Any]) -> Content | SessionContent:
    fields = dict(given)
    if "sid" in fields:
        for name in MESSAGES:
            fields[name] = take_messages(reader, fields[name])
        if fields["carrier"] is not None:
            fields["carrier"] = take_content(reader, fields["carrier"])
        return SessionContent(**fields)
    fields["unread"] = reader.take(fields["unread"])
    fields["unsent"] = reader.take(fields["unsent"])
    fields["ready"] = take_messages(reader, fields["ready"])
    if fields["deflate"] is not None:
        fields["deflate"] = tuple(fields["deflate"])
    return Content(**fields)


def take_messages(reader: Reader, messages: Sequence[tuple[bool, int]]) -> list[Message]:
    return [take_message(reader, *message) for message in messages]


def take_message(reader: Reader, is_text: bool, size: int) -> Message:
    data = reader.take(size)
    return data.decode("utf-8", "surrogatepass") if is_text else data


def pack_late(connections: Sequence[Late], recent: Sequence[str] = ()) -> bytes:
    """The bytes that tell of these, in the order of the connections, and of what groups have handed
    out lately.
    """
    blobs = Blobs()
    found = [
        {
            "unsent": blobs.put(one.unsent),
            "held": [(held.identity, blobs.put(held.frame)) for held in one.held],
            "is_too_much": one.is_too_much,
            "close": one.close,
        }
        for one in connections
    ]
    return blobs.pack([found, recent])


def unpack_late(data: bytes) -> tuple[list[Late], list[str]]:
    """What ``pack_late`` was given.

    Raises:
        InvalidRecord: it is none of these.
    """
    reader = Reader(data)
    try:
        connections, recent = reader.content
        late = [
            Late(
                reader.take(one["unsent"]),
                [HeldFrame(identity, reader.take(size)) for identity, size in one["held"]],
                bool(one["is_too_much"]),
                None if one["close"] is None else (one["close"][0], one["close"][1]),
            )
            for one in connections
        ]
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise InvalidRecord(f"it cannot be understood: {error!r}") from error
    return late, list(map(str, recent))


def name_of_class(handler: type) -> str:
    """How another process knows it."""
    return f"{handler.__module__}.{handler.__qualname__}"
