"""Whole, byte by byte, halved, with trailing bytes: the same messages and the same verdict."""

from __future__ import annotations

import pytest
from websockets.frames import Close

from dwebsocket.protocol.connection import MAX_PONGS, ServerConnection

from .feeding import MASK, Received, frame, receive

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

BORDERS = [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537]


@pytest.mark.parametrize("size", [size for size in BORDERS if size < 1000])
def test_binary_message_of_every_border_size(size):
    payload = bytes(range(256)) * 4
    assert receive(frame(BINARY, payload[:size])).messages == [payload[:size]]


@pytest.mark.parametrize("size", BORDERS)
@pytest.mark.parametrize("cut", [1, 7, 13, 14, 15, 1000, 60000])
def test_text_message_of_every_border_size_cut_once(size, cut):
    text = ("aé€😀" * 7000).encode()[:size].decode(errors="ignore")
    data = frame(TEXT, text.encode())
    received = Received(1 << 20)
    received.feed(data[:cut])
    received.feed(data[cut:])
    assert received.messages == [text]


def test_messages_of_one_read_keep_their_order():
    data = b"".join(frame(TEXT, str(n).encode()) + frame(BINARY, bytes([n])) for n in range(50))
    expected = [item for n in range(50) for item in (str(n), bytes([n]))]
    assert receive(data).messages == expected


def test_a_read_begins_in_a_buffer_with_something_of_an_earlier_one():
    connection, data = ServerConnection(1 << 20), frame(TEXT, b"short")
    # What a frame of one byte would have as its length, if there were one.
    assert connection.receive_data(bytearray(data[:1] + bytes([1 + 122]) + data), 1) == []
    assert connection.receive_data(bytearray(data[1:]), len(data) - 1) == ["short"]


def test_every_mask_is_taken_off():
    for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"abcd"):
        assert receive(frame(TEXT, "grüße".encode(), mask=mask)).messages == ["grüße"]


def test_fragments_with_control_frames_between_them_are_one_message():
    data = (
        frame(TEXT, b"one ", fin=False)
        + frame(PING, b"?")
        + frame(CONT, b"", fin=False)
        + frame(PONG, b"unasked")
        + frame(CONT, b"two")
        + frame(BINARY, b"\x00", fin=False)
        + frame(CONT, b"\xff")
        + frame(TEXT, b"three")
    )
    received = receive(data)
    assert received.messages == ["one two", b"\x00\xff", "three"]
    assert received.replies == [b"\x8a\x01?"]


def test_character_split_over_fragments_is_put_together():
    euro = "€".encode()
    data = frame(TEXT, euro[:1], fin=False) + frame(CONT, euro[1:2], fin=False)
    assert receive(data + frame(CONT, euro[2:])).messages == ["€"]


def test_empty_fragments_are_an_empty_message():
    data = frame(TEXT, b"", fin=False) + frame(CONT, b"", fin=False) + frame(CONT, b"")
    assert receive(data).messages == [""]
    assert receive(data.replace(b"\x01", b"\x02", 1)).messages == [b""]


def test_ping_is_answered_with_its_payload():
    assert receive(frame(PING, b"x" * 125)).replies == [b"\x8a\x7d" + b"x" * 125]
    assert receive(frame(PING)).replies == [b"\x8a\x00"]


def test_flood_of_pings_keeps_the_latest_pongs_only():
    received = Received(100)
    received.feed(b"".join(frame(PING, b"%d" % n) for n in range(5000)))
    assert len(received.replies) <= MAX_PONGS
    assert received.replies[-1] == b"\x8a\x044999"


def test_pong_is_consumed():
    received = receive(frame(PONG, b"late") + frame(TEXT, b"on"))
    assert received.messages == ["on"]
    assert received.replies == []


@pytest.mark.parametrize(
    ("payload", "close"),
    [
        (b"", Close(1005, "")),
        (b"\x03\xe8", Close(1000, "")),
        (b"\x03\xe9bye", Close(1001, "bye")),
        (b"\x0b\xb8", Close(3000, "")),
        (b"\x13\x87" + b"r" * 123, Close(4999, "r" * 123)),
        (b"\x0f\xa0" + "schöner".encode(), Close(4000, "schöner")),
    ],
)
def test_close_is_read(payload, close):
    received = receive(frame(CLOSE, payload))
    assert received.connection.close == close
    assert received.connection.finished


@pytest.mark.parametrize("behind", [frame(TEXT, b"b"), frame(TEXT, b"b", rsv=7), frame(PING)])
def test_what_follows_a_close_is_ignored(behind):
    received = receive(frame(TEXT, b"a") + frame(CLOSE, b"\x03\xe8") + behind)
    assert received.replies == []
    assert received.messages == ["a"]
    assert received.connection.failure is None
    received.feed(frame(TEXT, b"c"))
    assert received.messages == ["a"]


def header(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes([first, second]) + rest


BREACHES = {
    "unmasked text": (frame(TEXT, b"hi", mask=None), 1002),
    "unmasked long binary": (frame(BINARY, b"x" * 200, mask=None), 1002),
    "unmasked ping": (frame(PING, b"", mask=None), 1002),
    **{f"rsv {rsv}": (frame(TEXT, b"hi", rsv=rsv), 1002) for rsv in range(1, 8)},
    **{f"opcode {op}": (frame(op, b""), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": (frame(PING, b"", fin=False), 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "long close": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    "continuation of nothing": (frame(CONT, b"x"), 1002),
    "text inside text": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
    "binary inside text": (frame(TEXT, b"x", fin=False) + frame(BINARY, b"y"), 1002),
    "16 bit length of 125": (header(0x82, 0xFE, b"\x00\x7d" + MASK + b"x" * 125), 1002),
    "64 bit length of 65535": (
        header(0x82, 0xFF, (65535).to_bytes(8, "big") + MASK + b"x" * 65535),
        1002,
    ),
    "64 bit length of 0": (header(0x82, 0xFF, bytes(8) + MASK), 1002),
    "length of 64 bits": (header(0x82, 0xFF, b"\xff" * 8 + MASK), 1002),
    "length of 63 bits": (header(0x82, 0xFF, b"\x7f" + b"\xff" * 7 + MASK), 1009),
    "too big by its header": (header(0x81, 0xFF, (1 << 21).to_bytes(8, "big") + MASK), 1009),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"close code {code}": (frame(CLOSE, code.to_bytes(2, "big")), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close reason not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "text not UTF-8": (frame(TEXT, b"ok\xff"), 1007),
    "text with a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "text ends in a character": (frame(TEXT, "€".encode()[:2]), 1007),
    "fragments end in a character": (
        frame(TEXT, b"a", fin=False) + frame(CONT, "€".encode()[:2]),
        1007,
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_breach_fails_the_connection(name):
    data, code = BREACHES[name]
    before = frame(TEXT, b"good") + frame(BINARY, b"too")
    # 65 KiB byte by byte is slow and tells nothing new: this one is fed whole.
    received = receive(before + data) if len(data) < 9000 else Received(1 << 20)
    if not received.messages:
        received.feed(before + data)
    assert received.messages == ["good", b"too"]
    failure = received.connection.failure
    assert failure is not None
    assert failure.code == code
    assert 0 < len(failure.reason.encode()) <= 123
    assert received.connection.close is None
    received.feed(frame(TEXT, b"more"))
    assert received.messages == ["good", b"too"]


def test_continuation_behind_the_last_fragment_fails_the_connection():
    data = frame(TEXT, b"x", fin=False) + frame(CONT, b"y") + frame(CONT, b"z")
    received = receive(data)
    assert received.messages == ["xy"]
    assert received.connection.failure is not None
    assert received.connection.failure.code == 1002


def test_bad_utf8_is_noticed_while_its_frame_still_arrives():
    received = Received(1 << 20)
    data = frame(TEXT, b"a" * 50 + b"\xf8" + b"a" * 1000)
    received.feed(data[: 8 + 50])
    assert received.connection.failure is None
    received.feed(data[8 + 50 : 8 + 51])
    assert received.connection.failure is not None
    assert received.connection.failure.code == 1007


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_max_size_counts_the_message_and_not_its_frames(opcode):
    limit = 1000
    exactly = frame(opcode, b"x" * 400, fin=False) + frame(CONT, b"x" * 600)
    assert [len(message) for message in receive(exactly, limit).messages] == [limit]
    beyond = frame(opcode, b"x" * 400, fin=False) + frame(CONT, b"x" * 601)
    failure = receive(beyond, limit).connection.failure
    assert failure is not None
    assert failure.code == 1009
    assert "1000" in failure.reason
    assert receive(frame(opcode, b"x" * 1000), limit).messages
    assert receive(frame(opcode, b"x" * 1001), limit).connection.failure is not None
    twice = receive(exactly + exactly, limit)
    assert len(twice.messages) == 2


def test_too_big_a_frame_is_refused_by_its_header_alone():
    received = Received(1000)
    received.feed(frame(BINARY, b"x" * 2000)[:8])
    assert received.connection.failure is not None


def test_idle_connection_holds_no_assembler():
    received = receive(frame(TEXT, b"a", fin=False) + frame(CONT, b"b") + frame(PING))
    assert received.connection._assembler is None


def test_empty_read_changes_nothing():
    connection = ServerConnection(10)
    assert connection.receive_data(b"", 0) == []
    assert not connection.finished
