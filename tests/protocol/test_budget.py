"""What one read may become: as much as the budget allows, and the rest later."""

from __future__ import annotations

import tracemalloc
import zlib
from sys import getsizeof

import pytest

from dwebsocket.protocol.budget import MESSAGE_COST, RESERVE, cost_of
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import negotiate

from .feeding import frame

TEXT, BINARY, CONT, PING, CLOSE = 1, 2, 0, 9, 8
RSV1 = 4
MAX_SIZE = 100_000
READ = 1 << 16


def compressed(payload: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return (encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]


BOMB = frame(TEXT, compressed(b"x" * MAX_SIZE), rsv=RSV1)
#: A character that takes four bytes makes each of the others take four.
WIDE = frame(TEXT, "\N{GRINNING FACE}".encode() + b"x" * 9_000)
MANY = {
    "empty": frame(TEXT),
    "small text": frame(TEXT, b"ab"),
    "small binary": frame(BINARY, b"ab"),
    "usual": frame(TEXT, b"x" * 100),
    "large": frame(BINARY, b"x" * 60_000),
    "wide": WIDE,
    "compressed": BOMB,
    "fragments": frame(TEXT, b"x" * 5, fin=False) + frame(CONT, b"y" * 5),
    "with pings": frame(PING, b"are you there") + frame(TEXT, b"yes"),
}


def connect() -> ServerConnection:
    return ServerConnection(MAX_SIZE, negotiate("permessage-deflate", context_takeover=False)[1])


def batches(connection: ServerConnection, data: bytes) -> list[list[str | bytes]]:
    found = [connection.receive_data(data, len(data))]
    while connection.rest:
        found.append(connection.receive_rest())
    return found


@pytest.mark.parametrize("kind", MANY)
def test_no_call_gives_more_than_the_budget(kind):
    count = READ // len(MANY[kind])
    found = batches(connect(), MANY[kind] * count)
    assert sum(map(len, found)) == count
    # Of the plain frames, which cannot become much more than they were, one may stand at the edge.
    longest = max(getsizeof(message) + MESSAGE_COST for batch in found for message in batch)
    assert max(map(cost_of, found)) <= MAX_SIZE + RESERVE + longest


@pytest.mark.parametrize("kind", MANY)
def test_what_is_held_at_a_time_is_bounded(kind):
    """As above, but measured: also what the protocol itself holds, and takes for an instant."""
    # A thread that another test has left takes some now and then, and never less than none.
    peak = min(measure_peak(MANY[kind]) for _ in range(3))
    # The rest of the read, twice while it is cut; the messages; and one while it is assembled.
    assert peak < 2 * READ + (MAX_SIZE + RESERVE) + 4 * MAX_SIZE


def measure_peak(unit: bytes) -> int:
    """The most bytes that this process has taken while a read full of these was received."""
    data = unit * (READ // len(unit))
    connection = connect()
    connection.receive_data(unit, len(unit))  # what is made once is not counted
    tracemalloc.start()
    try:
        connection.receive_data(data, len(data))
        while connection.rest:
            connection.receive_rest()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_unread_messages_leave_less_room():
    connection = connect()
    found = connection.receive_data(BOMB * 10, len(BOMB) * 10, spent=RESERVE)
    assert found == []
    assert connection.rest == BOMB * 10
    assert connection.receive_rest(spent=RESERVE - MESSAGE_COST) == ["x" * MAX_SIZE]
    assert connection.rest == BOMB * 9


def test_a_message_as_large_as_may_be_always_has_room():
    for data in (BOMB, frame(BINARY, b"x" * MAX_SIZE), frame(TEXT, b"x" * MAX_SIZE)):
        assert len(connect().receive_data(data, len(data))) == 1


def test_control_frames_pass_though_there_is_no_room():
    """Behind small messages that nobody reads wait the Pings, and the end."""
    connection = connect()
    data = frame(PING, b"1") + frame(TEXT, b"hello") + frame(CLOSE, b"\x03\xe8")
    assert connection.receive_data(data, len(data), spent=RESERVE) == ["hello"]
    assert connection.replies
    assert connection.close is not None
    assert connection.rest == b""


@pytest.mark.parametrize("kind", MANY)
def test_a_cut_anywhere_changes_nothing(kind):
    whole = [message for batch in batches(connect(), MANY[kind] * 4) for message in batch]
    length = len(MANY[kind]) * 4
    for cut in {*range(1, min(length, 60)), length - 1}:
        connection = connect()
        data = MANY[kind] * 4
        found = batches(connection, data[:cut]) + batches(connection, data[cut:])
        assert [message for batch in found for message in batch] == whole


def test_a_message_that_has_begun_is_finished():
    """Its room was there when it began; what came before it is not counted against it again."""
    connection = connect()
    start, end = frame(TEXT, b"x" * 50_000, fin=False), frame(CONT, b"y" * 50_000)
    assert connection.receive_data(start, len(start)) == []
    assert connection.receive_data(end, len(end), spent=RESERVE * 10) == [
        "x" * 50_000 + "y" * 50_000
    ]


@pytest.mark.parametrize(
    "breach",
    [
        frame(TEXT, compressed(b"x" * MAX_SIZE * 2), rsv=RSV1),
        frame(TEXT, compressed(b"\xff" * (MAX_SIZE - 1)), rsv=RSV1),
        frame(TEXT, b"x" * 80_000 + b"\xff"),
    ],
    ids=["too big", "compressed, not UTF-8", "not UTF-8"],
)
def test_a_breach_holds_nothing_of_what_has_come(breach):
    connection = connect()
    connection.receive_data(BOMB, len(BOMB))  # what is made once is not counted
    tracemalloc.start()
    try:
        connection.receive_data(breach, len(breach))
        found = tracemalloc.take_snapshot()  # of other threads as well
    finally:
        tracemalloc.stop()
    assert connection.failure is not None
    ours = found.filter_traces([tracemalloc.Filter(True, "*/dwebsocket/protocol/*")])
    assert sum(trace.size for trace in ours.traces) < 4000


def test_nothing_is_left_behind_the_end():
    for end in (frame(CLOSE, b"\x03\xe8"), frame(TEXT, mask=None)):
        connection = connect()
        data = end + BOMB * 3
        assert batches(connection, data) == [[]]
        assert connection.finished
        assert connection.rest == b""
