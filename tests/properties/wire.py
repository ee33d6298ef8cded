"""What stands on the wire, taken apart without judging it (RFC 6455, 5.2).

Written from the RFC and by no code under test: it tells the known differences which frame the
implementations disagreed about.
"""

from __future__ import annotations

from typing import NamedTuple

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class WireFrame(NamedTuple):
    """A frame, or the start of one: ``length`` is ``None`` where it breaks off before that."""

    start: int
    first: int
    second: int
    length: int | None
    header_size: int
    in_message: bool  # whether a fragmented message was open before it
    size_before: int  # bytes of that message

    @property
    def opcode(self) -> int:
        return self.first & 0x0F

    @property
    def is_control(self) -> bool:
        return self.opcode >= CLOSE

    @property
    def is_shortest(self) -> bool:
        """Whether the length is written in the shortest form."""
        form = self.second & 0x7F
        return self.length is None or self.length >= {126: 126, 127: 65536}.get(form, 0)

    @property
    def end(self) -> int | None:
        return None if self.length is None else self.start + self.header_size + self.length

    def payload(self, data: bytes) -> bytes:
        """Its payload, unmasked, as far as it is in ``data``."""
        start = self.start + self.header_size
        mask = data[start - 4 : start] if self.second & 0x80 else b"\0\0\0\0"
        masked = data[start : self.end]
        return bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))


def dissect(data: bytes) -> list[WireFrame]:
    """The frames of ``data``, the last one perhaps unfinished."""
    frames: list[WireFrame] = []
    position, in_message, size = 0, False, 0
    while position < len(data):
        frame = read_header(data, position, in_message, size)
        frames.append(frame)
        if frame.end is None or frame.length is None:
            break
        position = frame.end
        if not frame.is_control:
            final = bool(frame.first & 0x80)
            size = 0 if final else frame.length + (size if frame.opcode == CONT else 0)
            in_message = not final
    return frames


def read_header(data: bytes, start: int, in_message: bool, size: int) -> WireFrame:
    first = data[start]
    second = data[start + 1] if start + 1 < len(data) else 0
    extended = {126: 2, 127: 8}.get(second & 0x7F, 0)
    header_size = 2 + extended + (4 if second & 0x80 else 0)
    length: int | None = second & 0x7F
    if extended:
        length = int.from_bytes(data[start + 2 : start + 2 + extended], "big")
    if len(data) < start + 2 + extended:
        length = None
    return WireFrame(start, first, second, length, header_size, in_message, size)


def complete(data: bytes, limit: int) -> bytes:
    """``data`` with its last frame made whole, by at most ``limit`` bytes of payload.

    A length that is not here becomes 257, 0x0101, in two bytes and more than any limit in eight.
    """
    if len(data) - dissect(data)[-1].start < 2:
        data += b"\x80"
    frame = dissect(data)[-1]
    data += b"\x01" * (frame.start + frame.header_size - len(data))
    frame = dissect(data)[-1]
    assert frame.end is not None
    return data + bytes(max(0, min(frame.end - len(data), limit)))
