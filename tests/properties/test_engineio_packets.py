"""Packets in the bodies of polls: what goes in comes out, and nothing else is taken for one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwebsocket.protocol.engineio import (
    InvalidPacket,
    as_message,
    build_close,
    build_text,
    decode_payload,
    encode_payload,
    is_message,
    parse_close,
    parse_count,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.lists(st.one_of(TEXTS, st.binary()), min_size=1)


def as_packet(message):
    return build_text(message) if isinstance(message, str) else message


@given(MESSAGES)
def test_messages_come_out_as_they_went_in(messages):
    body = encode_payload([as_packet(message) for message in messages], escapes=True)
    packets = decode_payload(body.encode())
    assert all(is_message(packet) for packet in packets)
    assert [as_message(packet) for packet in packets] == messages


@given(MESSAGES)
def test_other_clients_get_what_they_know(messages):
    body = encode_payload([as_packet(message) for message in messages], escapes=False)
    if not any("\x1e" in message for message in messages if isinstance(message, str)):
        assert [as_message(packet) for packet in decode_payload(body.encode())] == messages
    for packet in body.split("\x1e"):
        assert packet[:1] != "t" or any("\x1et" in str(message) for message in messages)


@given(st.binary(max_size=300))
def test_whatever_comes_is_packets_or_an_error(body):
    try:
        packets = decode_payload(body)
    except InvalidPacket:
        return
    assert len(packets) == body.count(b"\x1e") + 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"b*",
        b"bA",
        b"b" + base64.b64encode(b"good") + b"\n",
        b"t" + base64.b64encode(b"\xff"),
        b"t\xc3\xa9",
        b"\x1e" * 10_000,
    ],
)
def test_no_packets(body):
    with pytest.raises(InvalidPacket):
        decode_payload(body)


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_a_close_says_why(code):
    assert parse_close(build_close(code, "bye", tells=True)) == (code, "bye")
    assert build_close(code, "bye", tells=False) == "1"


def test_a_close_need_not_say_why():
    assert parse_close("1") == (1005, "")


def test_a_long_reason_is_cut():
    code, reason = parse_close(build_close(4000, "é" * 100, tells=True))
    assert (code, reason) == (4000, "é" * 61)


@pytest.mark.parametrize(
    "rest",
    ["x", "[]", "1", '{"code":1006}', '{"code":true}', '{"code":"1"}', '{"reason":5}', "[" * 9999],
)
def test_no_close(rest):
    with pytest.raises(InvalidPacket):
        parse_close("1" + rest)


@pytest.mark.parametrize("digits", ["-1", "1.0", "x", "\u0661", "9" * 19, " 1"])
def test_no_count(digits):
    with pytest.raises(InvalidPacket):
        parse_count(digits)


def test_a_count():
    assert (parse_count(""), parse_count("007")) == (None, 7)
