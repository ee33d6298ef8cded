"""Headers and Close frames as we write them, byte for byte."""

from __future__ import annotations

import pytest

from dwebsocket.protocol.exceptions import ProtocolError
from dwebsocket.protocol.frames import (
    build_close,
    build_frame_header,
    check_first_bytes,
    parse_header,
)

from .feeding import frame


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f" + (65536).to_bytes(8, "big")),
    ],
)
def test_header_takes_the_shortest_form(length, expected):
    assert build_frame_header(1, length) == expected


def test_header_of_each_opcode():
    assert [build_frame_header(opcode, 0)[0] for opcode in (1, 2, 8, 9, 10)] == [
        0x81,
        0x82,
        0x88,
        0x89,
        0x8A,
    ]


def test_close_holds_code_and_reason():
    assert build_close(1000) == b"\x88\x02\x03\xe8"
    assert build_close(4000, "tschüß") == b"\x88\x0a\x0f\xa0" + "tschüß".encode()
    assert build_close(1005) == b"\x88\x00"


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 1016, 2999, 5000])
def test_close_refuses_a_code_that_may_not_be_sent(code):
    with pytest.raises(ValueError, match=str(code)):
        build_close(code)


def test_close_refuses_too_long_a_reason():
    build_close(1000, "x" * 123)
    with pytest.raises(ValueError, match="124 bytes long"):
        build_close(1000, "é" * 62)


def test_control_frame_may_be_longer_than_the_longest_message():
    assert parse_header(frame(9, b"x" * 125)[:6], 10) is not None


def test_header_needs_all_its_bytes():
    data = frame(2, b"x" * 70000)
    for known in range(14):
        assert parse_header(data[:known], 1 << 20) is None
    header = parse_header(data[:14], 1 << 20)
    assert header is not None
    assert (header.fin, header.opcode, header.length, header.size) == (True, 2, 70000, 14)


def test_breach_is_noticed_at_the_second_byte():
    with pytest.raises(ProtocolError, match="reserved bit"):
        check_first_bytes(0xC1, 0x80)
