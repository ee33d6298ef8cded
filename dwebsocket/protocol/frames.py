"""The wire format of a frame (RFC 6455, 5.2), as a server reads and writes it."""

from __future__ import annotations

from operator import index
from reprlib import repr as shorten
from typing import Any, NamedTuple

from websockets.exceptions import ProtocolError as InvalidCloseFrame
from websockets.frames import EXTERNAL_CLOSE_CODES, Close, CloseCode, Opcode

from .exceptions import InvalidPayload, MessageTooBig, ProtocolError

__all__ = [
    "MAX_CONTROL_SIZE",
    "MAX_HEADER_SIZE",
    "MAX_REASON_SIZE",
    "RSV1",
    "SHORT_HEADERS",
    "Close",
    "CloseCode",
    "Header",
    "Opcode",
    "build_client_header",
    "build_close",
    "build_frame_header",
    "check_close",
    "check_first_bytes",
    "parse_close",
    "parse_header",
]

#: The longest header: 2 bytes, 8 of extended length, 4 of mask.
MAX_HEADER_SIZE = 14

#: Payload of a control frame (RFC 6455, 5.5); a Close spends two of it on the code.
MAX_CONTROL_SIZE = 125
MAX_REASON_SIZE = MAX_CONTROL_SIZE - 2

OPCODES = frozenset(opcode.value for opcode in Opcode)


#: The bit that marks a compressed message (RFC 7692, 6).
RSV1 = 0x40


class Header(NamedTuple):
    """A parsed frame header: ``size`` bytes of it, then ``length`` bytes of payload."""

    fin: bool
    compressed: bool
    opcode: int
    length: int
    mask: bytes
    size: int


def parse_header(data: bytes, max_size: int) -> Header | None:
    """Parse the header at the start of ``data``; ``None`` when more bytes are needed.

    The first two bytes have passed ``check_first_bytes``.

    Args:
        data: what has arrived, from the first byte of the header on.
        max_size: the longest payload of a data frame taken, in bytes.

    Raises:
        ProtocolError: the length is not one a client may send; with the section that says so.
    """
    if len(data) < 2:
        return None
    first, second = data[0], data[1]
    opcode = first & 0x0F
    length = second & 0x7F
    extended = {126: 2, 127: 8}.get(length, 0)
    size = 2 + extended + 4
    if len(data) < 2 + extended:
        return None
    if extended:
        length = parse_extended_length(data[2 : 2 + extended])
    if length > max_size and opcode < Opcode.CLOSE:
        raise MessageTooBig(f"message of more than {max_size} bytes")
    if len(data) < size:
        return None
    compressed = bool(first & RSV1)
    return Header(first >= 0x80, compressed, opcode, length, bytes(data[size - 4 : size]), size)


def check_first_bytes(first: int, second: int, deflate: bool = False) -> None:
    """Check all that the first two bytes of a header can tell.

    Args:
        deflate: whether permessage-deflate was agreed on, so that RSV1 may be set (RFC 7692, 6).

    Raises:
        ProtocolError: the header is not one a client may send; with the section that says so.
    """
    opcode = first & 0x0F
    if first & (0x30 if deflate and opcode < Opcode.CLOSE else 0x70):
        raise ProtocolError("reserved bit set (RFC 6455, 5.2)")
    if opcode not in OPCODES:
        raise ProtocolError(f"reserved opcode 0x{opcode:x} (RFC 6455, 5.2)")
    if second < 0x80:
        raise ProtocolError("frame is not masked (RFC 6455, 5.1)")
    if opcode >= Opcode.CLOSE:
        if first < 0x80:
            raise ProtocolError("fragmented control frame (RFC 6455, 5.4)")
        if second & 0x7F > MAX_CONTROL_SIZE:
            raise ProtocolError("control frame of more than 125 bytes (RFC 6455, 5.5)")


def parse_extended_length(data: bytes) -> int:
    """The 2 or 8 bytes of extended payload length (RFC 6455, 5.2)."""
    length = int.from_bytes(data, "big")
    if length >= 1 << 63:
        raise ProtocolError("payload length of more than 63 bits (RFC 6455, 5.2)")
    if length < (126 if len(data) == 2 else 65536):
        raise ProtocolError("payload length not in the shortest form (RFC 6455, 5.2)")
    return length


def parse_close(payload: bytes) -> Close:
    """The code and reason of a Close frame; 1005 stands for 'none given' (RFC 6455, 7.1.5)."""
    try:
        return Close.parse(payload)
    except InvalidCloseFrame as error:
        raise ProtocolError(f"Close frame: {error} (RFC 6455, 7.4)") from error
    except UnicodeDecodeError as error:
        raise InvalidPayload("reason to close is not UTF-8 (RFC 6455, 5.5.1)") from error


SHORT_HEADERS = {
    opcode: [bytes([0x80 | opcode, length]) for length in range(126)] for opcode in OPCODES
}


def build_frame_header(opcode: int, length: int) -> bytes:
    """The header of a whole, unmasked frame (a server never masks: RFC 6455, 5.1)."""
    if length < 126 and opcode in SHORT_HEADERS:
        return SHORT_HEADERS[opcode][length]
    if length < 126:
        return bytes([0x80 | opcode, length])
    if length < 65536:
        return bytes([0x80 | opcode, 126]) + length.to_bytes(2, "big")
    return bytes([0x80 | opcode, 127]) + length.to_bytes(8, "big")


def build_client_header(opcode: int, length: int, mask: bytes, *, fin: bool) -> bytes:
    """The header of a frame as clients send it."""
    header = bytearray(build_frame_header(opcode, length))
    if not fin:
        header[0] &= 0x7F
    header[1] |= 0x80
    return bytes(header) + mask


def check_close(code: Any, reason: Any) -> tuple[int, str]:
    """What ``close()`` was given, fit for a Close frame; ``None`` stands for 1000, or no reason.

    Raises:
        TypeError: a code that is no number, or a reason that is neither text nor bytes.
        ValueError: a code that may not be sent, or a reason that does not fit.
    """
    try:
        code = 1000 if code is None else index(code)
    except TypeError:
        raise TypeError(
            f"close() takes a code, which is a whole number, and then a reason: {shorten(code)} is "
            "no code. Write close(4000), close(4000, 'a reason') or close(reason='a reason')"
        ) from None
    if isinstance(reason, (bytes, bytearray)):
        reason = reason.decode()
    elif reason is not None and not isinstance(reason, str):
        raise TypeError(
            f"the reason to close is text, not {type(reason).__name__}: {shorten(reason)}. Write "
            "close(4000, 'a reason')"
        )
    if code == CloseCode.ABNORMAL_CLOSURE:
        raise ValueError(
            "1006 is not a close code that may be sent: it stands for what no Close has said "
            "(RFC 6455, 7.4.1); close() sends 1000, and your own codes are 4000 to 4999"
        )
    reason = reason or ""
    build_close(code, reason)
    return code, reason


def build_close(code: int, reason: str = "") -> bytes:
    """A whole Close frame; code 1005 gives one without a body (RFC 6455, 5.5.1).

    Raises:
        ValueError: the code may not stand in a Close frame, or the reason is too long.
    """
    if code == CloseCode.NO_STATUS_RCVD and not reason:
        return build_frame_header(Opcode.CLOSE, 0)
    if not (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000):
        raise ValueError(
            f"{code!r} is not a close code that may be sent; use 1000, another defined code or "
            "one of your own from 4000 to 4999"
        )
    body = int(code).to_bytes(2, "big") + reason.encode()
    if len(body) > MAX_CONTROL_SIZE:
        raise ValueError(
            f"the reason to close is {len(body) - 2} bytes long, a Close frame holds "
            f"{MAX_REASON_SIZE} at most"
        )
    return build_frame_header(Opcode.CLOSE, len(body)) + body
