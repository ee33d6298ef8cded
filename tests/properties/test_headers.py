"""Every first byte, every form of the length, in every place: the verdict of the others."""

from __future__ import annotations

import pytest

from ..protocol.feeding import frame
from .known_differences import differences
from .peers import PEERS
from .wire import BINARY, CLOSE, TEXT

BEFORE = {
    "first": b"",
    "inside text": frame(TEXT, b"a", fin=False),
    "inside binary": frame(BINARY, bytes(900), fin=False),
    "after a message": frame(TEXT, b"a"),
    "after a Close": frame(CLOSE, b"\x03\xe8"),
    "after a failure": frame(7),
}

#: The second byte and the extended length; masked by zeros and followed by zeros.
SHORT = [b"\x80", b"\x82", b"\xfd", b"\x00", b"\x02"]
LONG = [
    bytes([0x80 | form]) + length.to_bytes(size, "big")
    for form, size, lengths in (
        (126, 2, (0, 125, 126, 1000, 1001, 65535)),
        (127, 8, (0, 126, 1001, 65535, 65536, 2**63 - 1, 2**63, 2**64 - 1)),
    )
    for length in lengths
]


def streams(before: bytes) -> list[bytes]:
    heads = [bytes([first]) + second for first in range(256) for second in SHORT]
    heads += [
        bytes([first]) + second for first in [*range(16), *range(128, 144)] for second in LONG
    ]
    body = bytes(4) + b"\x03\xe8" + bytes(1002)
    # The payload is a good one, for a Close too, and what follows it is good.
    return [before + (head + body)[: len(head) + 4 + length(head)] for head in heads]


def length(head: bytes) -> int:
    """Bytes of payload that are sent, of those that the head claims."""
    short = head[1] & 0x7F
    return min(int.from_bytes(head[2:], "big") if short > 125 else short, 1004)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("before", BEFORE)
def test_every_header_gets_the_same_verdict(peer, before):
    for stream in streams(BEFORE[before]):
        case, known = differences(stream, [stream], peer)
        assert case.ours == case.theirs or known, case
