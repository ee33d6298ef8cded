"""Closing handshakes that are wrong, or that do not end."""

import itertools
import os
import signal
import struct
import time
from contextlib import contextmanager

import pytest

from ..raw_client import BINARY, CLOSE, TEXT, build_close, build_frame
from .flood import send_until_refused

PIECE = build_frame(BINARY, os.urandom(65536))


def test_close_and_then_16_mebibytes(meter, open_websocket, journal, case):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_close(4000)
        send_until_refused(client, itertools.repeat(PIECE, 256), seconds=20)
        assert journal.wait(case, "ended")["close_code"] == 4000


def test_close_and_then_data_without_end(meter, open_websocket, journal, case):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_close(4000)
        send_until_refused(client, itertools.repeat(PIECE), seconds=20)
        assert journal.wait(case, "ended")["close_code"] == 4000


def test_data_without_end_instead_of_the_answering_close(meter, open_websocket, journal, case):
    """We close first: the peer has CLOSE_TIMEOUT and some bytes to answer, then we hang up."""
    client = open_websocket("/close/?code=4001")
    with meter.bounds(seconds=20):
        assert client.read_close().close_code == 4001
        send_until_refused(client, itertools.repeat(PIECE), seconds=20)
        journal.wait(case, "ended")


def test_silence_instead_of_the_answering_close(meter, open_websocket, journal, case):
    client = open_websocket("/close/?code=4001")
    with meter.bounds(seconds=20):
        assert client.read_close().close_code == 4001
        client.send_bytes(PIECE[:100])
        journal.wait(case, "ended")
        client.read_to_eof()


def test_data_without_end_behind_a_breach_of_the_protocol(meter, open_websocket, journal, case):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_frame(TEXT, "not masked", masked=False)
        send_until_refused(client, itertools.repeat(PIECE), seconds=20)
        assert journal.wait(case, "ended")["close_code"] == 1002


@pytest.mark.parametrize("breach", [False, True])
def test_data_that_a_late_server_has_not_read(meter, processes, open_websocket, breach):
    """It goes on when the time for it is over. The client hears of that, however much of its data
    is on the way.
    """
    client = open_websocket("/handler/echo/")
    if breach:
        client.send_frame(TEXT, "not masked", masked=False)
        assert client.read_close().close_code == 1002
    with meter.bounds(seconds=30):
        with stopped(processes[-1]):
            if not breach:
                client.send_close(4000)
            fill(client)
        client.timeout = 20
        send_until_refused(client, itertools.repeat(PIECE))


@contextmanager
def stopped(pid):
    """It does not run, for longer than WEBSOCKET_CLOSE_TIMEOUT."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(1)
    finally:
        os.kill(pid, signal.SIGCONT)


def fill(client):
    """Send until nothing more is taken."""
    client.timeout = 0.2
    with pytest.raises(TimeoutError):
        send_until_refused(client, itertools.repeat(PIECE))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(struct.pack("!H", 1000) + b"r" * 124, id="126-bytes"),
        pytest.param(b"\x03", id="one-byte"),
        pytest.param(b"\x03\xe8\xff", id="not-utf-8"),
    ],
)
def test_malformed_close(meter, open_websocket, journal, case, payload):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_frame(CLOSE, payload)
        code = 1007 if payload.endswith(b"\xff") else 1002
        assert client.read_close().close_code == code
        assert client.read_to_eof() == b""
        assert journal.wait(case, "ended")["close_code"] == code


def test_reserved_close_codes(meter, open_websocket, journal, case):
    """None of them may come over the wire (RFC 6455, 7.4.2), and we send none back."""
    codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]
    with meter.bounds(seconds=20):
        for code in codes:
            client = open_websocket("/echo/")
            client.send_bytes(build_close(code))
            assert client.read_close().close_code == 1002, code
            assert client.read_to_eof() == b""
            client.hang_up()
        journal.wait(case, "ended", count=len(codes))
    assert {event["close_code"] for event in journal.events(case, "ended")} == {1002}
