"""The flat loop and the assembler, fed the same bytes, give the same messages."""

from __future__ import annotations

import random

import pytest

from dwebsocket.protocol.assembler import FrameAssembler
from dwebsocket.protocol.exceptions import ProtocolError
from dwebsocket.protocol.whole_frames import (
    apply_mask,
    parse_single_frame,
    parse_whole_frames,
    python_apply_mask,
)

from .feeding import frame

TEXT, BINARY = 1, 2


def by_flat_loop(data: bytes, max_size: int) -> tuple[list[str | bytes], int]:
    messages: list[str | bytes] = []
    position = parse_whole_frames(data, 0, len(data), max_size, messages, len(data))
    return messages, position


def by_assembler(data: bytes, end: int, max_size: int) -> list[str | bytes]:
    assembler, messages, position = FrameAssembler(max_size), [], 0
    while position < end:
        position, outcome = assembler.receive_piece(data, position, end, 1 << 30)
        if outcome is not None:
            messages.append(outcome[1])
    return messages


@pytest.mark.parametrize("seed", range(20))
def test_both_give_the_same_messages(seed):
    chance = random.Random(seed)
    data = b"".join(
        frame(
            chance.choice([TEXT, BINARY]),
            ("é€a" * chance.choice([0, 1, 9, 14, 15, 40, 8000, 9400])).encode(),
            mask=chance.randbytes(4),
        )
        for _ in range(30)
    )
    messages, position = by_flat_loop(data, 1 << 20)
    assert position == len(data)
    assert messages == by_assembler(data, len(data), 1 << 20)


@pytest.mark.parametrize(
    "other",
    [
        frame(9, b"ping"),
        frame(8, b"\x03\xe8"),
        frame(TEXT, b"part", fin=False),
        frame(0, b"rest"),
        frame(TEXT, b"rsv", rsv=4),
        frame(TEXT, b"plain", mask=None),
        frame(TEXT, b"x" * 126, mask=None),
        frame(TEXT, b"x" * 65536, mask=None),
        frame(TEXT, b"\xff"),
        frame(BINARY, b"x" * 2000),
        frame(BINARY, b"unfinished")[:-1],
        frame(BINARY, b"x" * 300)[:-1],
        frame(BINARY, b"x" * 300)[:7],
        frame(BINARY, b"x" * 70000)[:13],
        frame(BINARY, b"h")[:5],
        b"\x82\xfe\x00\x7d" + bytes(4 + 125),
        b"\x82\xff" + (65535).to_bytes(8, "big") + bytes(4 + 65535),
    ],
)
def test_flat_loop_stops_at_anything_else_without_touching_it(other):
    good = frame(TEXT, b"good") + frame(BINARY, b"more")
    messages, position = by_flat_loop(good + other, 1999)
    assert messages == ["good", b"more"]
    assert position == len(good)


def test_empty_pongs_are_passed_over():
    data = frame(10) + frame(TEXT, b"good") + frame(10) * 2 + frame(BINARY, b"more") + frame(10)
    messages, position = by_flat_loop(data, 1999)
    assert messages == ["good", b"more"]
    assert position == len(data)


@pytest.mark.parametrize(
    "other", [frame(10, b"x"), frame(10, mask=None), frame(10, rsv=4), frame(10)[:5]]
)
def test_other_pongs_are_not(other):
    good = frame(TEXT, b"good")
    assert by_flat_loop(good + other, 1999) == (["good"], len(good))


@pytest.mark.parametrize("size", [0, 1, 2, 124, 125])
def test_a_single_frame_is_what_the_flat_loop_makes_of_it(size):
    text = ("ab" * size)[:size].encode()
    for opcode in (TEXT, BINARY):
        data = frame(opcode, text)
        assert [parse_single_frame(data, len(data))] == by_flat_loop(data, 1999)[0]


@pytest.mark.parametrize(
    "other",
    [
        frame(TEXT, b"a") * 2,
        frame(TEXT, b"cut")[:-1],
        frame(TEXT, b"\xff"),
        frame(TEXT, b"part", fin=False),
        frame(BINARY, b"rsv", rsv=4),
        frame(BINARY, b"plain-plain", mask=None),
        frame(9, b"ping"),
        frame(10),
        frame(8, b"\x03\xe8"),
    ],
)
def test_anything_else_is_no_single_frame(other):
    assert parse_single_frame(other, len(other)) is None


def test_assembler_raises_what_is_wrong():
    with pytest.raises(ProtocolError, match="not masked"):
        by_assembler(frame(TEXT, b"x", mask=None), 3, 100)


def test_compiled_mask_and_the_python_one_agree():
    for size in (0, 1, 3, 4, 5, 125, 1000):
        data = random.Random(size).randbytes(size)
        assert apply_mask(data, b"abcd") == python_apply_mask(data, b"abcd")
