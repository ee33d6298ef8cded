"""WEBSOCKET_PING_INTERVAL and WEBSOCKET_PING_TIMEOUT: 0.3 and 2.5 seconds on the tuned server."""

import time

import pytest

from ..raw_client import PING, PONG, TEXT

pytestmark = pytest.mark.rows(foreign=False, thorough=True)  # otherwise the server sends Pings


def test_ping_arrives_and_a_pong_keeps_the_connection(
    tuned_server, open_websocket, journal, case, echo
):
    client = open_websocket(echo.path, tuned_server)
    for _ in range(3):
        ping = client.read_frame()
        assert ping.opcode == PING
        client.send_frame(PONG, ping.payload)
    client.send_text("alive")
    assert client.read_text() == "alive"
    assert not journal.events(case, "ended")


def test_peer_that_does_not_answer_is_dropped(tuned_server, open_websocket, journal, case, echo):
    started = time.monotonic()  # before the server's clock does
    client = open_websocket(echo.path, tuned_server)
    assert client.read_frame().opcode == PING
    ended = journal.wait(case, "ended", timeout=20)
    assert time.monotonic() - started > 2.6  # interval and timeout, less the clock's grain
    assert ended["close_code"] == 1006
    client.read_to_eof()  # and the descriptor is given back


@pytest.mark.rows(patched=True)
def test_push_view_reads_its_pongs(tuned_server, open_websocket, journal, case):
    """Nobody waits for messages in this view, and still a peer that answers is kept."""
    client = open_websocket("/push/", tuned_server)
    end = time.monotonic() + 3.2  # longer than interval and timeout
    pings = 0
    while pings < 3 or time.monotonic() < end:
        frame = client.read_frame()
        if frame.opcode == PING:
            client.send_frame(PONG, frame.payload)
            pings += 1
        else:
            assert (frame.opcode, frame.payload) == (TEXT, b"tick")
    assert not journal.events(case, "ended")
