"""What we write another implementation reads, and the other way round, at every border."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from dwebsocket.protocol.frames import (
    Close,
    Opcode,
    build_close,
    build_frame_header,
    parse_close,
)

from ..protocol.feeding import Received, frame
from .streams import pieces, split
from .wire import BINARY, TEXT

BORDERS = sorted(
    {0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 4095, 4096, 4097, 1 << 17}
    | {65536 + distance for distance in (-14, -8, -6, -2, -1, 0, 1, 2)}
)
MAX_SIZE = 1 << 17


def client() -> ClientProtocol:
    return ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)


def read_by_client(data: bytes) -> Frame:
    protocol = client()
    protocol.receive_data(data)
    (read,) = protocol.events_received()
    assert protocol.parser_exc is None
    assert isinstance(read, Frame)
    return read


@pytest.mark.parametrize("size", BORDERS)
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_client_reads_our_frame(opcode, size):
    payload = (b"0123456789abcde" * (size // 15 + 1))[:size]
    read = read_by_client(build_frame_header(opcode, size) + payload)
    assert (read.opcode, read.data, read.fin) == (opcode, payload, True)


@given(opcode=st.sampled_from([Opcode.PING, Opcode.PONG]), payload=st.binary(max_size=125))
def test_client_reads_our_control_frame(opcode, payload):
    read = read_by_client(build_frame_header(opcode, len(payload)) + payload)
    assert (read.opcode, read.data) == (opcode, payload)


@pytest.mark.parametrize("size", BORDERS)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_we_read_the_frame_of_a_client(opcode, size):
    """Every mask: ``websockets`` draws its own each time."""
    payload = (b"0123456789abcde" * (size // 15 + 1))[:size]
    protocol = client()
    (protocol.send_text if opcode == TEXT else protocol.send_binary)(payload)
    (written,) = protocol.data_to_send()
    expected = payload.decode() if opcode == TEXT else payload
    for cut in (0, 1, 2, 13, 14, len(written) // 2, len(written) - 1):
        received = Received(MAX_SIZE)
        for piece in split(written, [min(cut, len(written))]):
            received.feed(piece)
        assert received.messages == [expected]


def test_one_byte_more_than_the_limit_is_refused():
    for size in [size for size in BORDERS if size]:
        received = Received(size - 1)
        received.feed(frame(BINARY, bytes(size)))
        assert received.connection.failure is not None
        assert received.connection.failure.code == 1009


@given(data=st.data(), parts=st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_we_read_the_fragments_of_a_client(data, parts):
    protocol = client()
    payload = "".join(parts).encode()
    cuts = data.draw(st.lists(st.integers(0, len(payload)), max_size=4))
    first, *others = split(payload, cuts)
    protocol.send_text(first, fin=not others)
    for number, fragment in enumerate(others, 1):
        protocol.send_ping(b"between")
        protocol.send_continuation(fragment, fin=number == len(others))
    received = Received(MAX_SIZE)
    for piece in data.draw(pieces(b"".join(protocol.data_to_send()))):
        received.feed(piece)
    assert received.messages == ["".join(parts)]
    assert received.replies == [b"\x8a\x07between"] * len(others)


codes = st.integers(-1, 70000) | st.sampled_from([*range(999, 1017), 2999, 3000, 4999, 5000])


@given(code=codes, reason=st.text(max_size=130))
def test_close_we_write_is_one_we_would_take(code, reason):
    """7.4.1 and 7.4.2: written or refused, nothing between."""
    try:
        written = build_close(code, reason)
    except ValueError:
        too_long = len(reason.encode()) > 123
        assert too_long or code in range(1004, 1007) or code not in [*range(1000, 1015), *OWN]
        return
    if code == 1005:
        assert written == b"\x88\x00"
        return
    assert parse_close(written[2:]) == Close(code, reason)
    protocol = client()
    protocol.receive_data(written)
    assert protocol.close_rcvd == Close(code, reason)
    assert protocol.parser_exc is None


OWN = range(3000, 5000)
