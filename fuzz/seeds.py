"""Inputs to start from: a good example of everything, so that the search need not find it first."""

from __future__ import annotations

import zlib

from tests.properties.known_differences import KNOWN_DIFFERENCES
from tests.properties.streams import compressed
from tests.protocol.feeding import frame

from .invariants import (
    CHECKS,
    OFFER,
    SEPARATOR,
    check_compressed_frames,
    check_frames,
    check_handshake,
    check_memory,
    check_peers,
)

TEXT, BINARY, CONT, CLOSE, PING = 1, 2, 0, 8, 9

FRAMES = [
    frame(TEXT, "aé€😀".encode()) + frame(CLOSE, b"\x03\xe8bye"),
    frame(TEXT, b"a", fin=False) + frame(PING, b"?") + frame(CONT, b"b"),
    frame(BINARY, bytes(126)) + frame(BINARY, bytes(300)),
    frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT, b"\xac"),
]

HANDSHAKES = [
    SEPARATOR.join(
        ["keep-alive, Upgrade", "websocket", "13", "dGhlIHNhbXBsZSBub25jZQ==", *more]
    ).encode()
    for more in (["chat, v1", OFFER, "Set-Cookie", "a=b"], ["", "", "X-A", "b", "X-C", "d"])
]


COMPRESSED = [
    frame(TEXT, compressed(b"hello " * 40), rsv=4) * 2,
    frame(BINARY, compressed(bytes(900)), rsv=4),
    frame(BINARY, compressed(b"hi", zlib.Z_FINISH), fin=False, rsv=4) + frame(CONT, b"\0"),
    frame(TEXT, compressed(b"one"), fin=False, rsv=4) + frame(PING) + frame(CONT, b"\0"),
    frame(BINARY, compressed(b"hi", zlib.Z_FINISH), fin=False, rsv=4)
    + frame(CONT, b"\0\0\0\xff\xff\0"),
]


#: The start of a message, and what goes on without an end.
ENDLESS = [
    (frame(TEXT, fin=False), frame(CONT, "Ā".encode(), fin=False)),
    (frame(BINARY, b"a", fin=False), frame(PING, bytes(125)) + frame(CONT, fin=False)),
    (frame(TEXT, compressed(b"hi"), fin=False, rsv=4), frame(CONT, b"\0", fin=False)),
    (
        frame(BINARY, compressed(b"hi", zlib.Z_FINISH), fin=False, rsv=4),
        frame(CONT, b"\0" * 200, fin=False),
    ),
]


def seeds() -> list[bytes]:
    known = [item.example for item in KNOWN_DIFFERENCES]
    return [
        *(seed(check_frames, 5, 7, stream) for stream in FRAMES),
        *(
            seed(check_compressed_frames, 6, takeover, item)
            for item in COMPRESSED
            for takeover in (0, 1)
        ),
        *(seed(check_peers, 9, 0, stream) for stream in FRAMES + known),
        *(seed(check_handshake, 15, 0, text) for text in HANDSHAKES),
        *(
            seed(check_memory, len(start), takeover, start + again)
            for start, again in ENDLESS
            for takeover in (0, 1, 2)
        ),
    ]


def seed(check: object, first: int, second: int, data: bytes) -> bytes:
    return bytes([CHECKS.index(check), first, second]) + data  # type: ignore[arg-type]
