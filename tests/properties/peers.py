"""The same bytes through three implementations, and what each made of them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from websockets.extensions import Extension
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping

from ..protocol.feeding import Received

INVALID_DATA = 1007


class End(NamedTuple):
    """How a connection ended: a Close was received, or it was failed with ``code``."""

    failed: bool
    code: int
    reason: str = ""  # of the Close received


class Outcome(NamedTuple):
    messages: list[str | bytes]
    replies: list[bytes]  # Pongs, as written
    end: End | None  # None: still open


def by_dwebsocket(pieces: Iterable[bytes], max_size: int) -> Outcome:
    received = Received(max_size)
    for piece in pieces:
        received.feed(piece)
    return outcome_of(received)


def outcome_of(received: Received) -> Outcome:
    connection = received.connection
    end = None
    if connection.failure is not None:
        end = End(True, int(connection.failure.code))
    elif connection.close is not None:
        end = End(False, int(connection.close.code), connection.close.reason)
    return Outcome(received.messages, received.replies, end)


def by_websockets(
    pieces: Iterable[bytes], max_size: int, extensions: Sequence[Extension] = ()
) -> Outcome:
    """Its Sans-I/O layer gives frames; the messages are put together here as its others do."""
    protocol = ServerProtocol(state=State.OPEN, max_size=max_size)
    protocol.extensions = list(extensions)
    assembly = Assembly()
    written: list[bytes] = []
    for piece in pieces:
        protocol.receive_data(piece)
        written += protocol.data_to_send()
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            assembly.receive(event)
    pongs = [data for data in written if data[:1] == b"\x8a"][: assembly.pings]
    end = None
    if assembly.failed:
        end = End(True, INVALID_DATA)
    elif protocol.parser_exc is not None:
        assert protocol.close_sent is not None
        end = End(True, int(protocol.close_sent.code))
    elif protocol.close_rcvd is not None:
        end = End(False, int(protocol.close_rcvd.code), protocol.close_rcvd.reason)
    return Outcome(assembly.messages, pongs, end)


class Assembly:
    """Messages from whole frames, text decoded strictly."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.pings = 0
        self.failed = False
        self._parts: list[bytes] = []
        self._decoder: codecs.IncrementalDecoder | None = None

    def receive(self, frame: Frame) -> None:
        if self.failed:
            return
        if frame.opcode is Opcode.PING:
            self.pings += 1
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is Opcode.TEXT:
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._parts.append(bytes(frame.data))
        try:
            if self._decoder is not None:
                self._decoder.decode(frame.data, frame.fin)
        except UnicodeDecodeError:
            self.failed = True
            return
        if frame.fin:
            whole = b"".join(self._parts)
            self.messages.append(whole if self._decoder is None else whole.decode())
            self._parts, self._decoder = [], None


def by_wsproto(pieces: Iterable[bytes], max_size: int) -> Outcome:
    """It has no limit of its own: ``max_size`` is not used."""
    connection = Connection(ConnectionType.SERVER)
    messages: list[str | bytes] = []
    parts: list[str | bytes] = []
    replies: list[bytes] = []
    end = None
    for piece in pieces:
        if end is not None:
            break
        connection.receive_data(piece)
        for event in connection.events():
            if isinstance(event, Ping):
                replies.append(bytes(connection.send(event.response())))
            elif isinstance(event, CloseConnection):
                failed = connection.state is not ConnectionState.REMOTE_CLOSING
                end = End(failed, int(event.code), "" if failed else event.reason or "")
            elif isinstance(event, Message):
                parts.append(event.data)
                if event.message_finished:
                    empty = b"" if isinstance(event, BytesMessage) else ""
                    messages.append(empty.join(parts))  # type: ignore[arg-type]
                    parts = []
    return Outcome(messages, replies, end)


PEERS = {"websockets": by_websockets, "wsproto": by_wsproto}
