"""Where a connection is in the middle of something, another one is after its replay."""

import zlib

import pytest

from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import share

from ..raw_client import BINARY, CONT, PING, TEXT, build_frame

STREAM = b"".join(
    (
        build_frame(TEXT, "first"),
        build_frame(TEXT, "zwölf ", fin=False),
        build_frame(PING, b"ping"),
        build_frame(CONT, "Boxkämpfer".encode()[:5], fin=False),
        build_frame(CONT, "Boxkämpfer".encode()[5:]),
        build_frame(BINARY, b"\xff\x00" * 100, fin=False),
        build_frame(CONT, b"", fin=False),
        build_frame(PING, b""),
        build_frame(CONT, b"\xfe" * 70),
        build_frame(TEXT, "", fin=False),
        build_frame(CONT, "x" * 130),
        build_frame(TEXT, "last"),
    )
)


def feed(connection, data):
    return connection.receive_data(data, len(data))


WHOLE = feed(ServerConnection(10_000), STREAM)


def test_what_there_is():
    assert WHOLE[1] == "zwölf Boxkämpfer"
    assert len(WHOLE) == 5


@pytest.mark.parametrize("step", [1, 7, len(STREAM)])
def test_at_every_byte(step):
    for cut in range(len(STREAM) + 1):
        first, second = ServerConnection(10_000), ServerConnection(10_000)
        found = []
        for start in range(0, cut, step):
            found += feed(first, STREAM[start : min(cut, start + step)])
        replay = first.replay()
        assert feed(second, replay) == []
        assert second.replay() == replay
        assert found + feed(second, STREAM[cut:]) == WHOLE, cut
        assert not second.failure


def test_again_and_again():
    """From one to the next, with every byte."""
    connection, found = ServerConnection(10_000), []
    for byte in STREAM:
        found += feed(connection, bytes([byte]))
        replay = connection.replay()
        connection = ServerConnection(10_000)
        found += feed(connection, replay)
    assert found == WHOLE


def test_what_is_more_than_the_budget():
    connection = ServerConnection(10_000)
    found = connection.receive_data(STREAM, len(STREAM), spent=connection.budget - 600)
    assert 0 < len(found) < len(WHOLE)
    assert found + feed(ServerConnection(10_000), connection.replay()) == WHOLE


def test_not_in_the_middle_of_a_compressed_message():
    encoder = zlib.compressobj(wbits=-15)
    data = (encoder.compress(b"text" * 50) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frame = build_frame(TEXT, data, rsv=4)
    for cut in range(len(frame) + 1):
        connection = ServerConnection(10_000, share(15, 15))
        found = feed(connection, frame[:cut])
        replay = connection.replay()
        if cut < 6:  # the header and its mask
            assert replay == frame[:cut]
        elif cut < len(frame):
            assert replay is None
        else:
            assert (found, replay) == (["text" * 50], b"")
