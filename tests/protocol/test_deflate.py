"""permessage-deflate: what is agreed on, and messages in pieces, broken, and far too big."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import dwebsocket.backends.sockets  # noqa: F401  # it has threads take turns
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import MAX_SHARED_TIME, negotiate
from dwebsocket.protocol.exceptions import InvalidHandshake

from .feeding import frame

ROOT = Path(__file__).parents[2]

TEXT, BINARY, CONT, PING = 1, 2, 0, 9
TEXT_DATA = "Compression pays for text like this text, text, text. €" * 100


def deflate(data: bytes, encoder=None) -> bytes:
    encoder = encoder or zlib.compressobj(wbits=-15)
    return (encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflate(data: bytes, decoder=None) -> bytes:
    return (decoder or zlib.decompressobj(wbits=-15)).decompress(data + b"\0\0\xff\xff")


def agreed(offer="permessage-deflate", context_takeover=False):
    return negotiate(offer, context_takeover=context_takeover)[1]


def receive(data: bytes, extension, max_size=1 << 20, step=None):
    connection = ServerConnection(max_size, extension)
    messages = []
    for start in range(0, len(data), step or len(data)):
        piece = data[start : start + (step or len(data))]
        messages += connection.receive_data(piece, len(piece))
        while connection.rest:
            messages += connection.receive_rest()
    return connection, messages


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (None, None),
        ("", None),
        ("x-webkit-deflate-frame", None),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=10",
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ("permessage-deflate; unknown=1", None),
        ("permessage-deflate; server_max_window_bits=8", None),
    ],
)
def test_answer_without_context_takeover(offer, answer):
    assert negotiate(offer, context_takeover=False)[0] == answer


def test_answer_with_context_takeover_keeps_windows_small():
    answer, extension = negotiate(
        "permessage-deflate; client_max_window_bits", context_takeover=True
    )
    assert answer == ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12")
    assert not extension.is_stateless


@pytest.mark.parametrize("offer", ["permessage-deflate;", "@", "a" * 300 + ";"])
def test_malformed_offer_is_refused(offer):
    with pytest.raises(InvalidHandshake, match="Sec-WebSocket-Extensions"):
        negotiate(offer, context_takeover=False)


def test_connections_without_context_share_one_object():
    assert agreed() is agreed()
    assert agreed(context_takeover=True) is not agreed(context_takeover=True)


@pytest.mark.parametrize("step", [None, 1, 7])
def test_compressed_messages_arrive_in_any_pieces(step):
    text, data = TEXT_DATA.encode(), bytes(range(256)) * 20
    packed = deflate(text)
    stream = (
        frame(TEXT, packed, rsv=4)
        + frame(TEXT, b"plain")
        + frame(BINARY, deflate(data)[:20], fin=False, rsv=4)
        + frame(PING, b"?")
        + frame(CONT, deflate(data)[20:])
        + frame(TEXT, deflate(b""), rsv=4)
        + frame(TEXT, packed, rsv=4)
    )
    connection, messages = receive(stream, agreed(), step=step)
    assert connection.failure is None
    assert messages == [TEXT_DATA, "plain", data, "", TEXT_DATA]


def test_window_lives_on_with_context_takeover():
    extension = agreed(context_takeover=True)
    encoder = zlib.compressobj(wbits=-12)
    first, second = deflate(b"hello hello", encoder), deflate(b"hello hello", encoder)
    assert len(second) < len(first)
    stream = frame(TEXT, first, rsv=4) + frame(TEXT, second, rsv=4)
    assert receive(stream, extension)[1] == ["hello hello", "hello hello"]
    decoder = zlib.decompressobj(wbits=-12)
    sent = [extension.compress(b"answer answer") for _ in range(2)]
    assert len(sent[1]) < len(sent[0])
    assert [inflate(data, decoder) for data in sent] == [b"answer answer"] * 2


def test_each_message_stands_alone_without_context_takeover():
    extension = agreed()
    sent = [extension.compress(TEXT_DATA.encode()) for _ in range(2)]
    assert sent[0] == sent[1]
    assert inflate(sent[1]) == TEXT_DATA.encode()


def test_final_block_ends_a_message_too():
    encoder = zlib.compressobj(wbits=-15)
    final = encoder.compress(b"Hello") + encoder.flush(zlib.Z_FINISH) + b"\x00"
    stream = frame(TEXT, final, rsv=4) + frame(TEXT, deflate(b"again"), rsv=4)
    assert receive(stream, agreed())[1] == ["Hello", "again"]


@pytest.mark.parametrize("step", [None, 1, 2, 3])
def test_an_empty_block_behind_the_final_one(step):
    encoder = zlib.compressobj(wbits=-15)
    final = encoder.compress(b"Hello") + encoder.flush(zlib.Z_FINISH)
    rest = frame(CONT, b"\0\0\0\xff", fin=False) + frame(CONT, b"\xff\0")
    stream = frame(TEXT, final, fin=False, rsv=4) + rest + frame(TEXT, b"plain")
    assert receive(stream, agreed(), step=step)[1] == ["Hello", "plain"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff" * 20, rsv=4), 1007),
        (frame(TEXT, deflate(b"\xff"), rsv=4), 1007),
        (frame(TEXT, deflate(b"ab"), rsv=4, fin=False) + frame(CONT, b"", rsv=4), 1002),
        (frame(PING, b"", rsv=4), 1002),
        (frame(TEXT, b"a", rsv=2), 1002),
        (frame(TEXT, b"a", rsv=6), 1002),
        (frame(CONT, b"a", rsv=4), 1002),
    ],
)
def test_breach_fails_the_connection(data, code):
    for step in (None, 1):
        connection, messages = receive(data, agreed(), step=step)
        assert messages == []
        assert connection.failure.code == code


def test_compressed_frame_is_a_breach_where_nothing_was_agreed():
    connection, _ = receive(frame(TEXT, deflate(b"a"), rsv=4), None)
    assert connection.failure.code == 1002


def test_bomb_costs_no_more_than_the_limit():
    encoder = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(encoder.compress(bytes(1 << 20)) for _ in range(64))
    bomb += encoder.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 100_000
    connection, messages = receive(frame(BINARY, bomb[:-4], rsv=4), agreed(), max_size=100_000)
    assert messages == []
    assert connection.failure.code == 1009
    assert "100000" in connection.failure.reason


def test_bombs_on_many_threads_cost_as_much_as_a_few():
    """What is too large takes the space of a message before it is known: one at a time does."""
    count, size = 20, 4 << 20
    bomb = frame(BINARY, deflate(bytes(8 << 20)), rsv=4)
    barrier = threading.Barrier(count)

    def explode(_):
        barrier.wait(30)
        return receive(bomb, agreed(), max_size=size)[0].failure.code

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: barrier.wait(30), range(count)))  # all threads are there
        tracemalloc.start()
        try:
            codes = list(pool.map(explode, range(count)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert codes == [1009] * count
    assert peak < 4 * size


FORKED = """
import os, signal
import dwebsocket.backends.sockets
from dwebsocket.protocol import deflate

shared = deflate.negotiate("permessage-deflate", context_takeover=False)[1]
packed = shared.compress(bytes(1 << 20))
with deflate.turn:
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(shared.start_message(1 << 20).inflate(packed) != bytes(1 << 20))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_waits_for_no_thread_of_its_parent():
    result = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("step", [None, 100])
@pytest.mark.parametrize(
    "size", [MAX_SHARED_TIME - 1, MAX_SHARED_TIME, MAX_SHARED_TIME + 1, 300_000]
)
def test_large_messages_of_just_the_limit(size, step):
    for data in (bytes(size), os.urandom(size)):
        packed = frame(BINARY, deflate(data), rsv=4)
        connection, messages = receive(packed, agreed(), max_size=size, step=step)
        assert connection.failure is None
        assert messages == [data]
        connection, messages = receive(packed, agreed(), max_size=size - 1, step=step)
        assert (messages, connection.failure.code) == ([], 1009)


def test_limit_counts_what_comes_out():
    for size, fits in ((1000, True), (1001, False)):
        connection, messages = receive(
            frame(BINARY, deflate(bytes(size)), rsv=4), agreed(), max_size=1000
        )
        assert (messages == [bytes(size)]) is fits
        assert (connection.failure is None) is fits
