"""What a connection holds stays within the limit, whatever a client sends and never finishes."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import negotiate

from ..protocol.feeding import frame
from .streams import compressed
from .wire import BINARY, CONT, PING, TEXT

MAX_SIZE = 1 << 14

# A character takes up to four bytes as str, and what grows is grown in advance.
ALLOWED = 6 * MAX_SIZE

STREAMS = {
    "bytes one by one": [frame(BINARY, fin=False), frame(CONT, b"x", fin=False)],
    "letters one by one": [frame(TEXT, fin=False), frame(CONT, b"x", fin=False)],
    "wide characters": [frame(TEXT, fin=False), frame(CONT, "😀".encode(), fin=False)],
    "narrow characters": [frame(TEXT, fin=False), frame(CONT, "Ā".encode(), fin=False)],
    "one wide character in front": [
        frame(TEXT, "😀".encode(), fin=False),
        frame(CONT, b"x" * 50, fin=False),
    ],
    "empty fragments": [frame(TEXT, fin=False), frame(CONT, fin=False)],
    "pings inside a message": [frame(TEXT, b"x", fin=False), frame(PING, bytes(125))],
    "one big frame": [frame(BINARY, bytes(1 << 20))[:14], bytes(1000)],
    "one frame of the limit": [frame(BINARY, bytes(MAX_SIZE))[:-1], b""],
}


COMPRESSED = {
    "nothing compressed": [
        frame(TEXT, fin=False, rsv=4),
        frame(CONT, b"\0\0\0\xff\xff", fin=False),
    ],
    "zeros behind the final block": [
        frame(BINARY, compressed(b"end", zlib.Z_FINISH), fin=False, rsv=4),
        frame(CONT, bytes(200), fin=False),
    ],
    "data behind the final block": [
        frame(BINARY, compressed(b"end", zlib.Z_FINISH), fin=False, rsv=4),
        frame(CONT, b"more" * 50, fin=False),
    ],
}

#: The window of zlib.
WINDOW = 64 << 10


@pytest.mark.parametrize("name", STREAMS)
def test_unfinished_message_holds_no_more_than_the_limit(name):
    assert least(lambda: held_after(ServerConnection(MAX_SIZE), *STREAMS[name])) < ALLOWED


@pytest.mark.parametrize("takeover", [False, True])
@pytest.mark.parametrize("name", COMPRESSED)
def test_unfinished_compressed_message_holds_no_more_than_the_limit(name, takeover):
    def measure() -> int:
        _answer, deflate = negotiate("permessage-deflate", context_takeover=takeover)
        return held_after(ServerConnection(MAX_SIZE, deflate), *COMPRESSED[name])

    assert least(measure) < ALLOWED + WINDOW


def least(measure: Callable[[], int]) -> int:
    """A thread that another test has left takes some now and then, and never less than none."""
    return min(measure() for _ in range(3))


def held_after(connection: ServerConnection, start: bytes, again: bytes) -> int:
    """Bytes held after far more than the limit has been sent and the message never ended."""
    batch = again * 200
    tracemalloc.start()
    try:
        sent = feed(connection, start)
        while batch and sent < 16 * MAX_SIZE and not connection.finished:
            sent += feed(connection, batch)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return held


def feed(connection: ServerConnection, data: bytes) -> int:
    assert connection.receive_data(data, len(data)) == []
    return len(data)


def test_finished_messages_leave_nothing():
    fragmented = frame(TEXT, b"x" * 8000, fin=False) + frame(CONT, b"y" * 8000)

    def measure() -> int:
        connection = ServerConnection(MAX_SIZE)
        connection.receive_data(fragmented, len(fragmented))  # what is made once is not counted
        tracemalloc.start()
        try:
            for _ in range(20):
                connection.receive_data(fragmented, len(fragmented))
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    assert least(measure) < 4000


def test_announced_length_reserves_nothing():
    """A header that claims the limit costs what has arrived, not what is claimed."""
    big = 1 << 30

    def measure() -> int:
        connection = ServerConnection(big)
        tracemalloc.start()
        try:
            feed(connection, b"\x82\xff" + big.to_bytes(8, "big") + b"mask" + bytes(100))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert least(measure) < 10_000
