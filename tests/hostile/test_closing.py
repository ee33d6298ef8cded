"""Closing handshakes that are wrong, or that do not end."""

import itertools
import os
import signal
import struct
from contextlib import contextmanager, nullcontext, suppress

import pytest

from ..raw_client import BINARY, CLOSE, TEXT, build_close, build_frame
from ..servers.process import freeze
from .flood import send_until_refused

PIECE = build_frame(BINARY, os.urandom(65536))


def test_close_and_then_16_mebibytes(meter, open_websocket, journal, case):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_close(4000)
        send_until_refused(client, itertools.repeat(PIECE, 256), seconds=20)
        assert journal.wait(case, "ended")["close_code"] == 4000


@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/"])
@pytest.mark.parametrize("stops", [False, True], ids=["", "the server stops for a while"])
def test_close_and_then_data_without_end(meter, worker, open_websocket, journal, case, path, stops):
    client = open_websocket(path)
    with meter.bounds(seconds=20):
        with stopped(worker) if stops else nullcontext():
            client.send_close(4000)
            client.timeout = 1  # longer than CLOSE_TIMEOUT
            with suppress(TimeoutError):
                send_until_refused(client, itertools.repeat(PIECE, 256))
        client.timeout = 10
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


@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/"])
@pytest.mark.parametrize("stops", [False, True], ids=["", "the server stops for a while"])
def test_data_without_end_behind_a_breach_of_the_protocol(
    meter, worker, open_websocket, journal, case, path, stops
):
    """Should the process have no time for it as long as the peer may send: then it takes no more,
    and the peer's system is not left waiting for room.
    """
    client = open_websocket(path)
    with meter.bounds(seconds=20):
        client.send_frame(TEXT, "not masked", masked=False)
        assert client.read_close().close_code == 1002
        with stopped(worker) if stops else nullcontext():
            client.timeout = 1  # longer than CLOSE_TIMEOUT
            with suppress(TimeoutError):
                send_until_refused(client, itertools.repeat(PIECE, 256))
        client.timeout = 10
        send_until_refused(client, itertools.repeat(PIECE), seconds=20)
        assert journal.wait(case, "ended")["close_code"] == 1002


@contextmanager
def stopped(pid):
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


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
