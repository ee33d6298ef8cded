"""Frames as a client writes them, and the three ways they may arrive."""

from __future__ import annotations

from itertools import cycle, islice

from dwebsocket.protocol.connection import ServerConnection

MASK = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = MASK
) -> bytes:
    """A client's frame, written here from RFC 6455, 5.2, and by no code under test."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    flag = 0 if mask is None else 0x80
    length = len(payload)
    if length < 126:
        head = bytes([first, flag | length])
    elif length < 1 << 16:
        head = bytes([first, flag | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, flag | 127]) + length.to_bytes(8, "big")
    if mask is None:
        return head + payload
    keys = bytes(islice(cycle(mask), length))
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")
    return head + mask + masked.to_bytes(length, "big")


class Received:
    """All that a connection made of some bytes."""

    def __init__(self, max_size: int) -> None:
        self.connection = ServerConnection(max_size)
        self.messages: list[str | bytes] = []
        self.replies: list[bytes] = []

    def feed(self, data: bytes) -> None:
        # A buffer larger than what is in it, as the shared read buffer is.
        buffer = bytearray(data + b"\xff" * 32)
        self.messages += self.connection.receive_data(buffer, len(data))
        while self.connection.rest:
            self.messages += self.connection.receive_rest()
        self.replies += self.connection.replies
        self.connection.replies.clear()

    @property
    def outcome(self) -> tuple[object, ...]:
        failure = self.connection.failure
        return (
            self.messages,
            self.replies,
            self.connection.close,
            failure and (type(failure), failure.code, failure.reason),
        )


def receive(data: bytes, max_size: int = 1 << 20) -> Received:
    """Feed ``data`` whole, byte by byte, in two halves, and with trailing bytes: all must agree."""
    whole = Received(max_size)
    whole.feed(data)

    single = Received(max_size)
    for index in range(len(data)):
        single.feed(data[index : index + 1])
    assert single.outcome == whole.outcome

    for cut in {1, 2, 5, len(data) // 2, len(data) - 1} & set(range(1, len(data))):
        halves = Received(max_size)
        halves.feed(data[:cut])
        halves.feed(data[cut:])
        assert halves.outcome == whole.outcome, f"cut at {cut}"

    trailed = Received(max_size)
    trailed.feed(data + frame(2, b"next")[:7])
    assert trailed.outcome == whole.outcome
    return whole
