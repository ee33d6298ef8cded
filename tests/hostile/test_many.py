"""The same from many connections at once: what one may cost is what each costs, and no more."""

import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..raw_client import BINARY, CONT, PING, PONG, TEXT, Frame, build_close, build_frame
from .flood import send_until_refused
from .measure import MIB, Meter
from .test_sizes import COMPRESSED, MAX_MESSAGE_SIZE, build_bomb, deflate

#: What one connection may hold (MAX_MESSAGE_SIZE and 64 KiB), and what it takes to put a message
#: together: its decompressed pieces, and all of it once more as text.
BUDGET = MAX_MESSAGE_SIZE + 65536
ASSEMBLING = 3 * MAX_MESSAGE_SIZE

BOMB = build_frame(TEXT, deflate(b"x" * MAX_MESSAGE_SIZE), rsv=4)
BOMBS = 25

#: A view that sends, and looks at its client once a second; and a handler in a call that does so.
BUSY = ["/push/", "/handler/busy/message/sending/"]


@pytest.fixture
def meter(processes, record_property):
    """Measures against what the process was before this case: what many have taken stays in the
    allocator's hands for a while.
    """
    meter = Meter(*processes)
    meter.record = record_property
    return meter


@pytest.fixture
def open_many(open_websocket):
    def connect(count, path, **request):
        return [open_websocket(path, **request) for _ in range(count)]

    return connect


def each(clients, talk):
    """Talk with all of them at once."""
    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(talk, clients))


def read_pong(client):
    while client.read_past_pings(timeout=60).opcode != PONG:
        pass


@pytest.mark.parametrize("path", ["/lengths/", "/handler/lengths/"])
def test_small_bombs(meter, open_many, path):
    """2.6 KB become 2.5 MiB, and a read holds a hundred of them."""
    assert len(BOMB) < 2700
    clients = open_many(6, path, **COMPRESSED)

    def talk(client):
        client.send_bytes(BOMB * BOMBS)
        return [client.read_past_pings(timeout=60) for _ in range(BOMBS)]

    with meter.bounds(seconds=60, memory=6 * (BUDGET + ASSEMBLING)):
        for answers in each(clients, talk):
            assert answers == [Frame(TEXT, str(MAX_MESSAGE_SIZE).encode())] * BOMBS
    for client in clients:
        client.hang_up()


@pytest.mark.parametrize("path", BUSY)
def test_small_bombs_that_nobody_reads(meter, open_many, path):
    clients = open_many(6, path, **COMPRESSED)
    with meter.bounds(seconds=30, memory=6 * (BUDGET + ASSEMBLING)):
        for client in clients:
            client.send_text("work")
        for client in clients:
            client.send_bytes(build_frame(PING) + BOMB * BOMBS)
        each(clients, read_pong)  # then its view has looked
    for client in clients:
        client.hang_up()


@pytest.mark.parametrize("path", BUSY)
def test_small_messages_that_nobody_reads(row, meter, open_many, path):
    clients = open_many(6, path)
    messages = build_frame(PING) + build_frame(TEXT, b"ab") * 50_000
    held = 2 * BUDGET if row.foreign else BUDGET  # the server has a buffer of its own
    with meter.bounds(seconds=30, memory=6 * held):
        for client in clients:
            client.send_text("work")
        for client in clients:
            client.send_bytes(messages)
        each(clients, read_pong)
    for client in clients:
        client.hang_up()


@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/"])
def test_unfinished_messages(meter, open_many, journal, case, path):
    """Each of them as large as a message may be; nothing of it is kept of who leaves."""

    def begin(client):
        client.send_frame(TEXT, os.urandom(MAX_MESSAGE_SIZE // 2).hex(), fin=False)
        client.send_frame(PING)
        read_pong(client)

    def end(client):
        client.send_frame(CONT, b"one byte")
        return client.read_close(timeout=60).close_code

    # All at once: a Ping to one of them must not wait until others have sent.
    with meter.bounds(seconds=60, memory=10 * 2 * BUDGET):
        for number in range(1, 6):
            clients = open_many(10, path)
            each(clients, begin)
            if number < 5:
                for client in clients:
                    client.hang_up()
                journal.wait(case, "ended", count=number * 10)
        assert each(clients, end) == [1009] * 10
    for client in clients:
        client.hang_up()


def test_pings_without_reading_the_pongs(meter, open_many, journal, case):
    clients = open_many(20, "/echo/")
    with meter.bounds(seconds=30):
        for client in clients:
            client.send_bytes(build_frame(PING, os.urandom(125)) * 10_000)
            client.send_bytes(build_frame(PING) * 100_000)
        for client in clients:
            client.hang_up()
        journal.wait(case, "ended", count=20, timeout=30)


ENDLESS = build_frame(BINARY, bytes(65536)) * 64
BREACHES = {
    "announced length": (1009, struct.pack("!BBQ", 0x82, 0xFF, 1 << 62) + bytes(1004)),
    "not masked": (1002, build_frame(TEXT, b"hello", masked=False)),
    "long control frame": (1002, build_frame(PING, bytes(126))),
    "reserved close code": (1002, build_close(1005)),
    "bad text": (1007, build_frame(TEXT, b"\xff")),
    "compression bomb": (1009, build_frame(BINARY, build_bomb(), rsv=4)),
    "close": (1000, build_close(1000)),
}


@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/"])
@pytest.mark.parametrize("name", BREACHES)
def test_what_ends_a_connection_and_data_behind_it(meter, open_many, journal, case, name, path):
    code, data = BREACHES[name]
    clients = open_many(20, path, **COMPRESSED)

    def talk(client):
        send_until_refused(client, [data, ENDLESS])
        while (frame := client.read_frame()).opcode == PING:
            pass
        return frame.close_code

    # Of a bomb the first read may fit into a message yet; what does not is in one thread at a time.
    held = 2 if name == "compression bomb" else 1
    with meter.bounds(seconds=20, memory=20 * held * MIB):
        assert each(clients, talk) == [code] * 20
        journal.wait(case, "ended", count=20)
    for client in clients:
        client.hang_up()


@pytest.mark.parametrize("path", ["/flood/", "/handler/flood/"])
def test_clients_that_never_read(meter, open_many, journal, case, path):
    clients = open_many(10, path)
    with meter.bounds(seconds=20, memory=10 * 3 * MIB):
        for client in clients:
            client.send_text("1000000000")
        journal.wait(case, "ended", count=10, timeout=15)
    for client in clients:
        client.hang_up()


@pytest.mark.parametrize("kind", ["view", "handler"])
def test_members_that_never_read(meter, open_many, journal, case, kind):
    """Each is closed when MAX_SEND_BUFFER, 1 MiB, waits for it, of which a copy is made to send."""
    clients = open_many(20, f"/group/{kind}/many-{kind}/")
    for client in clients:
        client.shrink_receive_buffer()
    with meter.bounds(seconds=30, memory=20 * 2 * MIB):
        clients[0].send_text(json.dumps(["send_many", 60, 100_000]))
        journal.wait(case, "ended", count=20, timeout=20)
    assert {event["close_code"] for event in journal.events(case, "ended")} <= {1006, 1013}
    for client in clients:
        client.hang_up()
