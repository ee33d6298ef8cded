"""Engine.IO, protocol 4, and what ours adds to it: packets in and out, and how they are counted.

packets   what a packet is, and how several stand in the body of a poll
outgoing  what waits to be sent, and what may have to be sent again
"""

from .outgoing import Outgoing, WrongCount
from .packets import (
    CLOSE,
    EMPTY,
    NOOP,
    PING,
    PROBE,
    PROBED,
    UPGRADE,
    InvalidPacket,
    Packet,
    as_message,
    build_close,
    build_error,
    build_message,
    build_open,
    build_text,
    decode_payload,
    decode_text,
    encode_payload,
    is_message,
    parse_close,
    parse_count,
)

__all__ = [
    "CLOSE",
    "EMPTY",
    "NOOP",
    "PING",
    "PROBE",
    "PROBED",
    "UPGRADE",
    "InvalidPacket",
    "Outgoing",
    "Packet",
    "WrongCount",
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
