"""Clients that begin something and do not go on."""

import time

from ..raw_client import CONT, PING, PONG, TEXT, build_frame, build_request
from ..servers.process import count_descriptors, wait_for_descriptors, wait_until

# Fewer than the threads of any row: who waits for a request's rest is the server's business.
SILENT = 4


def test_half_a_handshake_and_silence(server, worker, meter, new_client, journal, case, address):
    """No view, no message, no socket of ours: the server alone waits, as for any HTTP request."""
    before = count_descriptors(worker)
    with meter.bounds(seconds=20):
        clients = [new_client() for _ in range(SILENT)]
        for client in clients:
            client.send_bytes(build_request(address("/echo/"), client.host)[:-10])
        talker = new_client()
        talker.open(address("/echo/") + "-beside")
        assert not journal.events(case)
        for client in (*clients, talker):
            client.hang_up()
        wait_for_descriptors(worker, before)


def test_half_a_frame_and_silence(meter, open_websocket, journal, case):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_bytes(build_frame(TEXT, "half a frame")[:9])
        assert client.read_frame().opcode == PING
        assert journal.wait(case, "ended")["close_code"] == 1006
        client.read_to_eof()


def test_byte_by_byte_without_end(meter, open_websocket, journal, case):
    """Who sends is alive, so this lasts, and it costs what any open connection costs."""
    client = open_websocket("/echo/")
    frame = build_frame(TEXT, "x" * 65536)
    with meter.bounds(seconds=20):
        end, position = time.monotonic() + 2, 0
        while time.monotonic() < end:
            client.send_bytes(frame[position : position + 1])
            position += 1
            wait_for_next_byte(client)
        assert not journal.events(case, "ended")
        wait_until(lambda: journal.events(case, "ended"), "silence ends it")


def wait_for_next_byte(client):
    """A pause during which the client reads, and answers nothing."""
    try:
        client.read_frame(timeout=0.1)
    except TimeoutError:
        return


def test_fragments_until_the_limit(meter, open_websocket, journal, case):
    """A patient client that answers each Ping: its message still ends at MAX_MESSAGE_SIZE."""
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_frame(TEXT, "x", fin=False)
        piece = build_frame(CONT, "x" * 50_000, fin=False)
        sent = 1
        while sent <= 2_621_440:
            client.send_bytes(piece)
            sent += 50_000
            if sent == 500_001:  # one answered Ping is enough to be alive
                client.send_frame(PONG, client.read_frame().payload)
        assert client.read_close().close_code == 1009
        assert journal.wait(case, "ended")["close_code"] == 1009
