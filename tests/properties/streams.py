"""Streams of client bytes: good ones, arbitrary frames, and mutilated ones."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import strategies as st

from ..protocol.feeding import frame
from .wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, dissect

MAX_SIZE = 1000  # small, so that streams often pass it

masks = st.sampled_from(
    [b"\x37\xfa\x21\x3d", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80\x01\x7f\xc3"]
)
sizes = st.sampled_from([0, 1, 2, 3, 5, 20, 124, 125, 126, 127, 128, 300, 999, 1000, 1001])
bad_utf8 = st.sampled_from(
    [
        b"\x80",
        b"\xc0\xaf",
        b"\xc3",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xf5",
        b"\xff",
    ]
)
texts = st.text(max_size=20) | st.builds("{0}{0}{0}{0}".format, st.text(max_size=60))
text_payloads = texts.map(str.encode)
any_payloads = (
    st.binary(max_size=20)
    | text_payloads
    | sizes.map(bytes)
    | st.builds(lambda good, bad, more: good + bad + more, text_payloads, bad_utf8, text_payloads)
)
close_codes = st.sampled_from([1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999]) | (
    st.sampled_from([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
)
close_payloads = st.sampled_from([b"", b"\x03", b"\x03\xe8"]) | st.builds(
    lambda code, reason: (code.to_bytes(2, "big") + reason)[:125],
    close_codes,
    text_payloads | bad_utf8,
)


@st.composite
def control_frames(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from([PING, PONG]))
    return frame(opcode, draw(st.binary(max_size=125)), mask=draw(masks))


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """The frames of one good message: cut anywhere, control frames between its fragments."""
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    payload = draw(text_payloads if opcode == TEXT else st.binary(max_size=40) | sizes.map(bytes))
    cuts = draw(st.lists(st.integers(0, len(payload)), max_size=3))
    written = []
    for number, fragment in enumerate(split(payload, cuts)):
        final = number == len(cuts)
        written.append(frame(CONT if number else opcode, fragment, fin=final, mask=draw(masks)))
        if not final:
            written += draw(st.lists(control_frames(), max_size=1))
    return written


@st.composite
def good_streams(draw: st.DrawFn) -> bytes:
    written = draw(st.lists(messages() | control_frames().map(lambda item: [item]), max_size=5))
    if draw(st.booleans()):
        written.append([frame(CLOSE, draw(close_payloads), mask=draw(masks))])
    return b"".join(item for frames in written for item in frames)


@st.composite
def any_frames(draw: st.DrawFn) -> bytes:
    """A frame in which anything may be wrong; mostly one thing is."""
    opcode = draw(
        st.sampled_from([TEXT, BINARY, CONT, TEXT, CONT, CLOSE, PING, PONG, 3, 7, 11, 15])
    )
    payload = draw(close_payloads if opcode == CLOSE else any_payloads)
    written = frame(
        opcode,
        payload,
        fin=draw(st.sampled_from([True, True, False])),
        rsv=draw(st.sampled_from([0] * 12 + [1, 2, 4, 7])),
        mask=draw(st.sampled_from([b"abcd"] * 12 + [None])),
    )
    if draw(st.integers(0, 9)) == 0:
        written = lengthen(written, *draw(st.sampled_from(LENGTHENINGS)))
    return written


#: Bytes the length is written in, and the length that is claimed instead of the true one.
LENGTHENINGS = [(2, None), (8, None), (2, 65535), (8, 65535), (8, 2**63 - 1), (8, 2**63)]


def lengthen(written: bytes, size: int, claimed: int | None) -> bytes:
    """The same frame with its length in ``size`` bytes."""
    header = dissect(written)[0]
    length = header.length if claimed is None else claimed
    assert length is not None
    masked = header.second & 0x80
    rest = written[header.header_size - (4 if masked else 0) :]
    second = masked | (126 if size == 2 else 127)
    return bytes([header.first, second]) + length.to_bytes(size, "big") + rest


@st.composite
def frame_streams(draw: st.DrawFn) -> bytes:
    """Good messages, perhaps the start of a fragmented one, and then arbitrary frames."""
    good = [item for frames in draw(st.lists(messages(), max_size=2)) for item in frames]
    if draw(st.booleans()):
        good.append(frame(draw(st.sampled_from([TEXT, BINARY])), draw(any_payloads), fin=False))
    return b"".join(good + draw(st.lists(any_frames(), min_size=1, max_size=4)))


@st.composite
def mutilated_streams(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(good_streams() | frame_streams()))
    for _ in range(draw(st.integers(1, 3))):
        if not data:
            break
        headers = [item.start + offset for item in dissect(bytes(data)) for offset in (0, 1, 2)]
        places = st.sampled_from(headers) | st.integers(0, len(data) - 1)
        place = min(draw(places), len(data) - 1)
        match draw(st.sampled_from(["flip", "set", "cut", "delete", "insert", "splice", "double"])):
            case "flip":
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "set":
                data[place] = draw(st.integers(0, 255))
            case "cut":
                del data[place:]
            case "delete":
                del data[place : place + draw(st.integers(1, 5))]
            case "insert":
                data[place:place] = draw(st.binary(min_size=1, max_size=5))
            case "splice":
                data[place:place] = draw(any_frames())
            case "double":
                data[place:place] = data[place : place + 20]
    return bytes(data)


any_streams = (
    frame_streams() | mutilated_streams() | good_streams() | st.binary(min_size=1, max_size=60)
).filter(bool)


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """``data`` cut at random places."""
    cuts = draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=6))
    return list(filter(None, split(data, cuts)))


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


def compressed(payload: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """A message's payload as permessage-deflate sends it (RFC 7692, 7.2.1)."""
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(payload) + deflate.flush(flush)).removesuffix(b"\0\0\xff\xff")
