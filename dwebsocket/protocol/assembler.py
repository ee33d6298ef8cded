"""Frames taken apart piece by piece, and messages put together from them.

Everything that the flat loop of ``whole_frames`` leaves: fragments (RFC 6455, 5.4), control frames
(5.5), frames of which only a part is here, and every breach of the protocol. Text is decoded
while it arrives, so that bad UTF-8 fails the connection at once (8.1).
"""

from __future__ import annotations

import codecs

from .budget import MESSAGE_COST
from .deflate import TAIL, Inflater, PerMessageDeflate
from .exceptions import InvalidPayload, MessageTooBig, ProtocolError
from .frames import (
    MAX_HEADER_SIZE,
    RSV1,
    Header,
    Opcode,
    build_client_header,
    check_first_bytes,
    parse_header,
)
from .whole_frames import apply_mask

__all__ = ["FrameAssembler"]

#: The mask that changes nothing.
UNMASKED = bytes(4)

new_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class FrameAssembler:
    """Assembles what does not arrive as whole, unfragmented frames."""

    __slots__ = (
        "_content",
        "_decoder",
        "_deflate",
        "_header",
        "_inflater",
        "_opcode",
        "_payload",
        "_remaining",
        "_size",
        "_start",
        "max_size",
    )

    def __init__(self, max_size: int, deflate: PerMessageDeflate | None = None) -> None:
        self.max_size = max_size
        self._deflate = deflate
        self._inflater: Inflater | None = None  # while a compressed message is being assembled
        self._start = b""  # of a header that is not all here
        self._header: Header | None = None  # of the frame being read
        self._remaining = 0  # bytes of its payload still to come
        self._payload = bytearray()  # of the frame being read, still masked
        self._opcode = 0  # of the message being assembled, 0 between messages
        self._size = 0  # of the message being assembled, in bytes, if it is not compressed
        self._content = bytearray()
        self._decoder = new_utf8_decoder()  # checks text while it arrives

    @property
    def is_idle(self) -> bool:
        """Whether nothing is unfinished, so that the next byte starts a new message."""
        return self._header is None and not self._opcode and not self._start

    def replay(self) -> bytes | None:
        """Bytes after which another assembler is where this one is; ``None``: there are none, for
        in the middle of a compressed message nobody knows what is still to come of it.
        """
        if self._inflater is not None:
            return None
        header, content = self._header, bytes(self._content)
        if header is None:
            return self._replay_fragments(content) + self._start
        got = header.length - self._remaining
        part = bytes(self._payload)  # masked
        if header.opcode < Opcode.CLOSE and self._opcode == Opcode.TEXT:
            content, part = content[: len(content) - got], content[len(content) - got :]
            part = apply_mask(part, header.mask)
        begun = build_client_header(header.opcode, header.length, header.mask, fin=header.fin)
        if header.opcode in (Opcode.TEXT, Opcode.BINARY):
            return begun + part
        return self._replay_fragments(content) + begun + part

    def _replay_fragments(self, content: bytes) -> bytes:
        """The fragments of the message that have come whole, as one."""
        if not self._opcode:
            return b""
        return build_client_header(self._opcode, len(content), UNMASKED, fin=False) + content

    def receive_piece(
        self, buffer: bytes | bytearray, position: int, end: int, room: int
    ) -> tuple[int, tuple[int, str | bytes] | None]:
        """Consume one frame, or what is here of it, from ``position`` on.

        Args:
            room: what the frame's message may cost (``budget``).

        Returns:
            The new position, and the frame's outcome if there is one: the opcode and the whole
            message, or the opcode and the payload of a control frame. The position is the old one
            if a message begins that may cost more than ``room``.

        Raises:
            ProtocolError: the peer broke the protocol.
        """
        if self._header is None:
            position = self._receive_header(buffer, position, end, room)
        header = self._header
        if header is None:
            return position, None
        stop = min(position + self._remaining, end)
        if stop > position:
            self._receive_payload(header, memoryview(buffer)[position:stop])
        if self._remaining:
            return stop, None
        self._header = None
        return stop, self._end_frame(header)

    def _receive_header(self, buffer: bytes | bytearray, position: int, end: int, room: int) -> int:
        known = len(self._start)
        data = self._start + bytes(buffer[position : min(end, position + MAX_HEADER_SIZE - known)])
        if len(data) >= 2:
            check_first_bytes(data[0], data[1], self._deflate is not None)
            self._check_order(data[0] & 0x0F, data[0] & RSV1)
        header = parse_header(data, self._max_payload(data))
        if header is None:
            self._start = data
            return end
        if header.opcode < Opcode.CLOSE:
            if header.opcode != Opcode.CONT and self._max_cost(header) > room:
                return position
            self._start_frame(header)
        self._start = b""
        self._header = header
        self._remaining = header.length
        return position + header.size - known

    def _max_cost(self, header: Header) -> int:
        """What the message that begins with this frame may come to."""
        whole = header.fin and not header.compressed
        return MESSAGE_COST + (header.length if whole else self.max_size)

    def _max_payload(self, data: bytes) -> int:
        """The limit is for what comes out: what cannot be compressed is a little longer so."""
        compressed = self._inflater is not None or bool(data and data[0] & RSV1)
        return self.max_size + (self.max_size >> 8) + 64 if compressed else self.max_size

    def _check_order(self, opcode: int, rsv1: int) -> None:
        """RFC 6455, 5.4: fragments of one message follow each other."""
        if opcode == Opcode.CONT:
            if not self._opcode:
                raise ProtocolError("continuation without a message (RFC 6455, 5.4)")
            if rsv1:
                raise ProtocolError("reserved bit set in a continuation (RFC 7692, 6.1)")
        elif opcode < Opcode.CLOSE and self._opcode:
            raise ProtocolError("new message inside a fragmented one (RFC 6455, 5.4)")

    def _start_frame(self, header: Header) -> None:
        """A data frame begins, and with it perhaps a message."""
        if header.opcode != Opcode.CONT:
            self._opcode = header.opcode
            if header.compressed and self._deflate is not None:
                self._inflater = self._deflate.start_message(self.max_size)
        if self._inflater is None:
            self._grow(header.length)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self.max_size:
            raise MessageTooBig(f"message of more than {self.max_size} bytes")

    def _receive_payload(self, header: Header, piece: memoryview) -> None:
        if header.opcode >= Opcode.CLOSE or (
            self._opcode == Opcode.BINARY and self._inflater is None
        ):
            self._payload += piece  # unmasked at once, when it is all here
        else:
            turn = (header.length - self._remaining) % 4
            self._take(apply_mask(piece, header.mask[turn:] + header.mask[:turn]))
        self._remaining -= len(piece)

    def _take(self, data: bytes) -> None:
        """Add unmasked data to the message."""
        if self._inflater is not None:
            data = self._inflater.inflate(data)
        if self._opcode == Opcode.TEXT:
            self._check_text(data)
        self._content += data

    def _check_text(self, data: bytes, final: bool = False) -> None:
        try:
            self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise InvalidPayload("text message is not UTF-8 (RFC 6455, 8.1)") from error

    def _end_frame(self, header: Header) -> tuple[int, str | bytes] | None:
        payload = b""
        if self._payload:
            payload = apply_mask(self._payload, header.mask)
            self._payload = bytearray()
        if header.opcode >= Opcode.CLOSE:
            return header.opcode, payload
        if not header.fin:
            self._content += payload
            return None
        return self._end_message(payload)

    def _end_message(self, payload: bytes) -> tuple[int, str | bytes]:
        if self._inflater is not None:
            self._take(TAIL)
            self._inflater = None
        opcode, content = self._opcode, self._content
        self._content = bytearray()
        self._opcode = self._size = 0
        if opcode == Opcode.TEXT:
            self._check_text(b"", final=True)
            return opcode, content.decode()
        return opcode, bytes(content + payload) if content else payload
