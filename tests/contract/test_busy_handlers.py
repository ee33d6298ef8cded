"""A call of a handler that lasts, and what its connection hears of its client meanwhile."""

import time

import pytest

from ..raw_client import CLOSE, PING, PONG, TEXT, Frame, build_frame
from ..servers.process import wait_until

# Here handlers sleep.
pytestmark = pytest.mark.rows(patched=True, thorough=True)

#: Seconds within which a connection is looked at: one, and what a busy machine takes.
SOON = 12


@pytest.fixture(params=["open", "message"])
def busy(request, open_websocket):
    """A client whose handler is at work, and goes on for 20 seconds if nothing ends it."""

    def connect(how):
        client = open_websocket(f"/handler/busy/{request.param}/{how}/")
        if request.param == "message":
            client.send_text("work")
        return client

    return connect


def read_until(client, opcode, deadline):
    while (frame := client.read_frame(timeout=deadline - time.monotonic())).opcode != opcode:
        assert frame == Frame(TEXT, b"working")
    return frame


def test_a_ping_is_answered(busy):
    client = busy("sending")
    for payload in (b"one", b"two"):
        client.send_frame(PING, payload)
        assert read_until(client, PONG, time.monotonic() + SOON).payload == payload


def test_a_close_ends_the_call(row, busy, journal, case):
    client = busy("sending")
    client.send_close(4001)
    assert read_until(client, CLOSE, time.monotonic() + SOON).close_code == row.answered(4001)
    assert journal.wait(case, "worked", timeout=SOON)["close_code"] == row.heard(4001)[0]
    assert journal.wait(case, "ended")["close_code"] == row.heard(4001)[0]


@pytest.mark.parametrize("how", ["sending", "looking"])
def test_a_client_that_leaves_ends_the_call(busy, journal, case, how):
    busy(how).hang_up()
    assert journal.wait(case, "worked", timeout=SOON)["seconds"] < SOON
    assert journal.wait(case, "ended")


def test_a_close_is_seen(row, busy, journal, case):
    client = busy("looking")
    client.send_close(4001)
    assert client.read_close(timeout=SOON).close_code == row.answered(4001)
    assert journal.wait(case, "worked", timeout=SOON)["seconds"] < SOON


def test_what_comes_meanwhile_is_called_for_in_order(open_websocket, journal, case):
    client = open_websocket("/handler/catching/")
    client.send_bytes(build_frame(TEXT, "10") + build_frame(TEXT, "0"))
    assert client.read_text() == "working"
    for message in ("0.0", "0.00"):
        client.send_text(message)
        client.send_frame(PING, message.encode())
        assert read_until(client, PONG, time.monotonic() + SOON).payload == message.encode()
    client.send_text("0.000")
    client.send_close()
    wait_until(lambda: journal.events(case, "ended"), "the end", timeout=SOON)
    got = [event["message"] for event in journal.events(case, "got")]
    assert got == ["10", "0", "0.0", "0.00", "0.000"]
