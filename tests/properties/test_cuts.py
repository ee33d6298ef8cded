"""However a stream is cut, what comes of it is the same, down to the words of the failure."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwebsocket.protocol.exceptions import InvalidPayload, ProtocolError

from ..protocol.feeding import Received, frame
from .streams import MAX_SIZE, any_streams, pieces
from .wire import CONT, TEXT


def feed(pieces: list[bytes], max_size: int = MAX_SIZE) -> Received:
    received = Received(max_size)
    for piece in pieces:
        received.feed(piece)
    return received


@given(data=st.data(), max_size=st.sampled_from([0, 1, 20, 126, MAX_SIZE, 1 << 20]))
def test_cut_does_not_matter(data, max_size):
    stream = data.draw(any_streams)
    whole = feed([stream], max_size)
    single = feed([stream[index : index + 1] for index in range(len(stream))], max_size)
    assert single.outcome == whole.outcome
    assert feed(data.draw(pieces(stream)), max_size).outcome == whole.outcome


@given(stream=any_streams, more=st.binary(max_size=40))
def test_nothing_changes_after_the_end(stream, more):
    received = feed([stream])
    if received.connection.finished:
        before = received.outcome
        received.feed(more)
        assert received.outcome == before


@given(stream=any_streams, max_size=st.sampled_from([0, 1, 20, 126, MAX_SIZE]))
def test_no_message_passes_the_limit(stream, max_size):
    for message in feed([stream], max_size).messages:
        size = len(message) if isinstance(message, bytes) else len(message.encode())
        assert size <= max_size


@given(stream=any_streams)
def test_failure_is_a_protocol_error_with_a_reason_that_fits(stream):
    failure = feed([stream]).connection.failure
    if failure is not None:
        assert isinstance(failure, ProtocolError)
        assert failure.code in (1002, 1007, 1009)
        assert 0 < len(failure.reason.encode()) <= 123


# RFC 3629, 4, table of well-formed byte sequences: the borders of each column.
EDGES = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1]
EDGES += [0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_utf8_edge_gets_the_same_verdict_whole_cut_and_fragmented(length):
    for octets in product(EDGES, repeat=length):
        payload = bytes(octets)
        expected = decoded(payload)
        fragments = [frame(TEXT, payload[:1], fin=False), frame(CONT, payload[1:])]
        written = frame(TEXT, payload)
        for cut in ([written], [written[:7], written[7:]], fragments):
            received = feed(cut)
            if expected is None:
                assert isinstance(received.connection.failure, InvalidPayload), payload
            else:
                assert received.messages == [expected], payload


def decoded(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
