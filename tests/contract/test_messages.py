"""Data frames, fragments, Pings: what is sent comes back, whole and in order."""

import json

import pytest

from ..raw_client import BINARY, CONT, PING, PONG, TEXT, Frame, build_frame

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20]


@pytest.mark.elsewhere("foreign", size=[0, 126, 65536], opcode=BINARY)
@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
@pytest.mark.parametrize("size", SIZES)
def test_echo(server, row, open_websocket, opcode, size, echo):
    if not size and not row.empty_messages:
        pytest.skip("this server throws empty messages away")
    payload = (bytes(range(32, 127)) * (size // 95 + 1))[:size]
    if opcode == BINARY:
        payload = payload[::-1].replace(b"a", b"\xff")
    client = open_websocket(echo.path)
    client.send_frame(opcode, payload)
    assert client.read_frame() == Frame(opcode, payload)


@pytest.mark.elsewhere("foreign", text="🙂" * 50)
@pytest.mark.parametrize("text", ["Grüße", "日本語", "🙂" * 50, "\0", "e\u0301\u200d"])
def test_text_is_unicode(server, open_websocket, text):
    client = open_websocket("/echo/wait/")
    client.send_text(text)
    assert client.read_text() == text


def test_python_types(server, open_websocket):
    client = open_websocket("/types/")
    client.send_text("a")
    assert client.read_text() == "str"
    client.send_frame(BINARY, b"\xfe\xff")
    assert client.read_text() == "bytes"
    assert client.read_frame() == Frame(BINARY, b"\xfe\xff")
    assert client.read_frame() == Frame(BINARY, b"\xfe\xff")
    assert client.read_text() == "TypeError"


def test_json(server, open_websocket):
    client = open_websocket("/json/")
    client.send_text('{"a": [1, null, "ü"]}')
    assert json.loads(client.read_text()) == {"you sent": {"a": [1, None, "ü"]}}


@pytest.mark.elsewhere(count=1000)
@pytest.mark.parametrize("count", [10, 1000])
def test_messages_in_one_packet_are_answered_in_order(server, open_websocket, echo, count):
    client = open_websocket(echo.path)
    client.send_bytes(b"".join(build_frame(TEXT, f"message {i}") for i in range(count)))
    assert [client.read_text() for _ in range(count)] == [f"message {i}" for i in range(count)]


def test_fragments_with_a_ping_between(server, open_websocket, echo):
    client = open_websocket(echo.path)
    client.send_bytes(
        build_frame(TEXT, "one ", fin=False)
        + build_frame(PING, b"between")
        + build_frame(CONT, b"", fin=False)
        + build_frame(CONT, "two ü".encode()[:-1], fin=False)
        + build_frame(CONT, "ü".encode()[-1:])
    )
    assert client.read_frame() == Frame(PONG, b"between")
    assert client.read_text() == "one two ü"


def test_frames_byte_by_byte(server, open_websocket, echo):
    client = open_websocket(echo.path)
    client.send_bytes(
        build_frame(TEXT, "slow")
        + build_frame(BINARY, bytes(130))
        + build_frame(TEXT, "fra", fin=False)
        + build_frame(CONT, "gment"),
        step=1,
    )
    assert client.read_text() == "slow"
    assert client.read_frame() == Frame(BINARY, bytes(130))
    assert client.read_text() == "fragment"


@pytest.mark.elsewhere("foreign", payload=b"payload")
@pytest.mark.parametrize("payload", [b"", b"payload", bytes(range(125))], ids=len)
def test_pong_carries_the_pings_payload(server, open_websocket, payload, echo):
    client = open_websocket(echo.path)
    client.send_frame(PING, payload)
    assert client.read_frame() == Frame(PONG, payload)


def test_unsolicited_pong_is_ignored(server, open_websocket, echo):
    client = open_websocket(echo.path)
    client.send_frame(PONG, b"nobody asked")
    client.send_text("still here")
    assert client.read_text() == "still here"


def test_view_sends_a_ping_and_never_sees_the_pong(server, row, open_websocket):
    """An ASGI server alone sends Pings; a view that would send one goes on all the same."""
    client = open_websocket("/pinging/")
    if not row.foreign:
        assert client.read_frame() == Frame(PING, b"are you there")
        client.send_frame(PONG, b"are you there")
    client.send_text("yes")
    assert client.read_text() == "yes"


def test_frames_from_the_server_are_not_masked(server, open_websocket, echo):
    client = open_websocket(echo.path)
    client.send_text("mask")
    assert client.read_frame().masked is False


@pytest.mark.rows(coroutines=True)
def test_async_view(server, row, open_websocket, journal, case):
    client = open_websocket("/echo/async/")
    client.send_bytes(build_frame(TEXT, "a") + build_frame(BINARY, b"b"))
    assert client.read_text() == "a"
    assert client.read_frame() == Frame(BINARY, b"b")
    client.send_close(4001)
    assert client.read_close().close_code == row.answered(4001)
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["close_code"] == row.heard(4001)[0]


@pytest.mark.rows(pages=True)
@pytest.mark.rows(proxied=False)  # a Unix socket knows no TCP_NODELAY, and needs none
@pytest.mark.rows(foreign=False)  # the socket is the server's
def test_small_frames_are_not_held_back(server, row, open_websocket):
    """TCP_NODELAY: else a second small frame waits 40 ms for the acknowledgement of the first."""
    if row.asgi and row.tls:
        pytest.skip("the socket is the event loop's, which sees to that")
    assert json.loads(open_websocket("/nodelay/").read_text()) == 1


@pytest.mark.rows(concurrent=True)
def test_connections_do_not_mix(server, open_websocket, echo):
    clients = [open_websocket(echo.path) for _ in range(6)]
    for turn in range(10):
        for number, client in enumerate(clients):
            client.send_text(f"{number}/{turn}")
        for number, client in enumerate(clients):
            assert client.read_text() == f"{number}/{turn}"


@pytest.mark.rows(pages=True)
@pytest.mark.rows(concurrent=True)
def test_http_goes_on_beside_websockets(server, open_websocket, new_client, address, echo):
    clients = [open_websocket(echo.path) for _ in range(3)]
    other = new_client()
    other.send_request(address("/plain/"), websocket=False)
    assert other.read_response().body == b"plain"
    for client in clients:
        client.send_text("beside")
        assert client.read_text() == "beside"
