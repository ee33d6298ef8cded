"""Bytes that RFC 6455 forbids: what came before them is answered, then the connection fails."""

import struct

import pytest

from ..raw_client import BINARY, CLOSE, CONT, PING, TEXT, build_frame
from .conftest import ECHOES

MIB = 1 << 20
FORBIDDEN = {
    "unmasked": (1002, build_frame(TEXT, "plain to see", masked=False)),
    "rsv1": (1002, build_frame(TEXT, "x", rsv=4)),
    "rsv2": (1002, build_frame(TEXT, "x", rsv=2)),
    "rsv3-on-ping": (1002, build_frame(PING, "x", rsv=1)),
    "reserved-data-opcode": (1002, build_frame(3, "x")),
    "reserved-control-opcode": (1002, build_frame(11, "x")),
    "long-ping": (1002, build_frame(PING, bytes(126))),
    "long-close": (1002, build_frame(CLOSE, struct.pack("!H", 1000) + bytes(124))),
    "fragmented-ping": (1002, build_frame(PING, "x", fin=False)),
    "continuation-of-nothing": (1002, build_frame(CONT, "x")),
    "message-within-message": (1002, build_frame(TEXT, "x", fin=False) + build_frame(TEXT, "y")),
    "close-of-one-byte": (1002, build_frame(CLOSE, b"\x03")),
    "close-code-999": (1002, build_frame(CLOSE, struct.pack("!H", 999))),
    "close-code-1005": (1002, build_frame(CLOSE, struct.pack("!H", 1005))),
    "close-code-1006": (1002, build_frame(CLOSE, struct.pack("!H", 1006))),
    "close-reason-not-utf8": (1007, build_frame(CLOSE, struct.pack("!H", 1000) + b"\xff")),
    "text-not-utf8": (1007, build_frame(TEXT, b"\xc3\x28")),
    "text-cut-utf8": (1007, build_frame(TEXT, b"abc\xc3")),
    "text-surrogate": (1007, build_frame(TEXT, b"\xed\xa0\x80")),
    "fragments-not-utf8": (
        1007,
        build_frame(TEXT, b"ok \xc3", fin=False) + build_frame(CONT, b"\x28"),
    ),
    "too-big": (1009, build_frame(BINARY, b"", length=3 * MIB)),
    "fragments-too-big": (
        1009,
        build_frame(BINARY, bytes(2 * MIB), fin=False) + build_frame(CONT, b"", length=MIB),
    ),
    "huge": (1009, build_frame(BINARY, b"", length=1 << 62)),
}

#: One of each way to fail. The others differ in the protocol alone, which is the same for all
#: servers and has tests of its own: one server is enough for them.
EACH_WAY = ["unmasked", "close-code-1006", "text-cut-utf8", "too-big", "fragments-too-big"]


@pytest.mark.elsewhere(name=["unmasked", "too-big"])
@pytest.mark.rows(foreign=False)  # there the server finds it, see below
@pytest.mark.parametrize("name", EACH_WAY)
def test_connection_fails(server, open_websocket, journal, case, name, echo):
    check_failure(open_websocket, journal, case, name, echo)


@pytest.mark.rows(name="gunicorn-gthread")
@pytest.mark.parametrize("name", sorted(FORBIDDEN.keys() - EACH_WAY))
def test_connection_fails_for_any_reason(server, open_websocket, journal, case, name, echo):
    check_failure(open_websocket, journal, case, name, echo)


def check_failure(open_websocket, journal, case, name, echo):
    code, forbidden = FORBIDDEN[name]
    client = open_websocket(echo.path)
    client.send_bytes(build_frame(TEXT, "good") + build_frame(BINARY, b"\0good") + forbidden)
    assert client.read_text() == "good"
    assert client.read_frame().payload == b"\0good"
    assert client.read_close().close_code == code
    client.send_close(code)
    assert client.read_to_eof() == b""
    ended = journal.wait(case, "ended")
    assert ended["outcome"] == echo.outcome


@pytest.mark.rows(foreign=True)
def test_view_hears_of_a_server_that_fails_the_connection(server, row, new_client, journal, case):
    """With or without a Close; the limits of size are its own, greater than ours."""
    clients = {}
    for name, (code, forbidden) in FORBIDDEN.items():
        if code == 1009:
            continue
        for path, outcome in ECHOES:
            client = new_client()
            client.open(f"{path}?case={case}-{name}{path}")
            client.send_text("good")
            assert client.read_text() == "good"
            client.send_bytes(forbidden)
            clients[f"{case}-{name}{path}"] = client, outcome
    for name, (client, outcome) in clients.items():
        received = client.read_to_eof(timeout=15)
        assert received[:1] in (b"", b"\x88"), name
        assert journal.wait(name, "ended")["outcome"] == outcome


def test_message_of_the_greatest_size_passes(server, row, open_websocket, echo):
    """The limit is Django's DATA_UPLOAD_MAX_MEMORY_SIZE, 2.5 MiB."""
    client = open_websocket(echo.path)
    payload = bytes(5 * MIB // 2)
    client.send_frame(BINARY, payload)
    assert client.read_frame(timeout=10).payload == payload
    # Under ASGI a message is seen when it is whole, otherwise its header is enough.
    client.send_frame(BINARY, payload + b"x" if row.foreign else b"", length=len(payload) + 1)
    assert client.read_close().close_code == row.shown(1009)[0]
