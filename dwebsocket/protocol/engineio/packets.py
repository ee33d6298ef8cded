"""Packets of Engine.IO, protocol 4 ("Packet encoding" of its specification).

A packet is what a WebSocket carries of it: text that begins with the digit of its type, or the
bytes of a binary message. In the body of a poll several stand in a row.
"""

from __future__ import annotations

import base64
import binascii
import json
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from dwebsocket.protocol.prepared import PreparedMessage

__all__ = [
    "CLOSE",
    "EMPTY",
    "MAX_PACKETS",
    "NOOP",
    "PING",
    "PROBE",
    "PROBED",
    "UPGRADE",
    "InvalidPacket",
    "Packet",
    "as_message",
    "build_close",
    "build_error",
    "build_message",
    "build_open",
    "build_text",
    "decode_payload",
    "decode_text",
    "encode_payload",
    "is_message",
    "parse_close",
    "parse_count",
]

Packet = str | bytes

CLOSE = "1"
PING = "2"
NOOP = "6"

#: The packets of an upgrade: the question, its answer, and the change.
PROBE = "2probe"
PROBED = "3probe"
UPGRADE = "5"

MESSAGE = "4"

#: Between two packets in the body of a poll.
SEPARATOR = "\x1e"

#: In front of binary messages in such a body, and of text that holds the separator: base64.
BINARY = "b"

#: An empty binary message as text.
EMPTY = BINARY
ENCODED_TEXT = "t"

#: Packets in one body.
MAX_PACKETS = 10_000

#: The longest number that is read: more messages than anybody sends.
MAX_DIGITS = 18

#: Characters of an error that are shown.
MAX_SHOWN = 20_000

#: What Engine.IO's own close says nothing of.
NORMAL, NO_STATUS = 1000, 1005


class InvalidPacket(ValueError):
    """What a client has sent is no packet, or not one for a server."""


def is_message(packet: Packet) -> bool:
    """Whether it is a message, which is counted."""
    return isinstance(packet, bytes) or packet[:1] == MESSAGE


def as_message(packet: Packet) -> str | bytes:
    """The message in a packet that is one."""
    return packet if isinstance(packet, bytes) else packet[1:]


def build_text(message: str) -> Packet:
    """The packet of a text message.

    Raises:
        UnicodeEncodeError: text that cannot be sent.
    """
    if not message.isascii():
        message.encode()
    return MESSAGE + message


def build_message(message: PreparedMessage) -> Packet:
    """The packet of what is sent to many."""
    event = message.event
    packet: Packet = build_text(event["text"]) if "text" in event else event["bytes"]
    return packet


def encode_payload(packets: Iterable[Packet], *, escapes: bool) -> str:
    """The body of a poll.

    Args:
        escapes: whether the client knows text that holds the separator; another one takes it for
            two packets.
    """
    return SEPARATOR.join(encode(packet, escapes) for packet in packets)


def encode(packet: Packet, escapes: bool) -> str:
    if isinstance(packet, bytes):
        return BINARY + base64.b64encode(packet).decode()
    if escapes and SEPARATOR in packet and packet[0] == MESSAGE:
        return ENCODED_TEXT + base64.b64encode(packet[1:].encode()).decode()
    return packet


def decode_payload(body: bytes) -> list[Packet]:
    """The packets of the body of a POST.

    Raises:
        InvalidPacket: it is none, or has too many.
    """
    if body.count(SEPARATOR.encode()) >= MAX_PACKETS:
        raise InvalidPacket(f"more than {MAX_PACKETS} packets")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidPacket(f"not UTF-8: {error.reason}") from error
    return [decode_text(packet) for packet in text.split(SEPARATOR)]


def decode_text(packet: str) -> Packet:
    """The packet that a text stands for: it may be one of base64.

    Raises:
        InvalidPacket: it is not.
    """
    if packet[:1] == BINARY:
        return decode_base64(packet[1:])
    if packet[:1] == ENCODED_TEXT:
        try:
            return MESSAGE + decode_base64(packet[1:]).decode()
        except UnicodeDecodeError as error:
            raise InvalidPacket(f"not UTF-8: {error.reason}") from error
    return packet


def decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidPacket(f"not base64: {error}") from error


def build_open(values: Mapping[str, Any]) -> Packet:
    """The packet that opens a session, or goes on with one."""
    return "0" + json.dumps(values, separators=(",", ":"))


def build_close(code: int, reason: str, *, tells: bool) -> Packet:
    """The packet that ends a session; ``tells``: the client knows codes."""
    if not tells:
        return CLOSE
    values = {"code": int(code), "reason": reason}
    return CLOSE + json.dumps(values, separators=(",", ":"))


def parse_close(packet: str) -> tuple[int, str]:
    """The code and the reason of a client's close packet; 1005 where it says none.

    Raises:
        InvalidPacket: what follows is no such thing.
    """
    if packet == CLOSE:
        return NO_STATUS, ""
    try:
        values = json.loads(packet[1:])
    except (ValueError, RecursionError) as error:
        raise InvalidPacket("a close packet that is not JSON") from error
    if not isinstance(values, dict):
        raise InvalidPacket("a close packet without a code")
    code, reason = values.get("code", NO_STATUS), values.get("reason", "")
    # Those that a browser lets a page choose.
    good = type(code) is int and (code in (NORMAL, NO_STATUS) or 3000 <= code < 5000)
    if not good or not isinstance(reason, str):
        raise InvalidPacket("a close packet with a wrong code or reason")
    return code, reason.encode(errors="replace")[:123].decode(errors="ignore")


def parse_count(digits: str) -> int | None:
    """A number of messages; ``None`` where nothing is said.

    Raises:
        InvalidPacket: it is no number.
    """
    if not digits:
        return None
    if len(digits) > MAX_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise InvalidPacket("a count that is no number")
    return int(digits)


def build_error(error: BaseException) -> Packet:
    """A packet for whoever writes the site: an error, with its traceback."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    values = {
        "level": "error",
        "message": "".join(traceback.format_exception_only(type(error), error)).strip()[:MAX_SHOWN],
        "traceback": "".join(lines)[-MAX_SHOWN:],
    }
    return "8" + json.dumps(values)
