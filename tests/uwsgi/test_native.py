"""--https-socket: TLS ends in the worker, and uWSGI's own calls are all there is.

No case sends a continuation without a beginning: uWSGI would die of it.
"""

import pytest

from ..raw_client import BINARY, CONT, TEXT, Frame, build_frame

# What uWSGI answers every Close with, also one that is an answer itself.
CLOSE = build_frame(8, masked=False)


@pytest.fixture
def server(native_server):
    return native_server


@pytest.mark.parametrize("size", [1, 125, 126, 65535, 65536, 1_000_000])
def test_echo(server, connect, size):
    client = connect(server, "/echo/")
    client.send_frame(TEXT, b"a" * size)
    assert client.read_past_pings() == Frame(TEXT, b"a" * size)
    client.send_frame(BINARY, b"\xff" * size)
    assert client.read_past_pings() == Frame(BINARY, b"\xff" * size)


def test_text_is_what_can_be_text(server, connect):
    client = connect(server, "/types/")
    client.send_frame(BINARY, b"Gr\xc3\xbc\xc3\x9fe")
    assert client.read_past_pings().payload == b"str"
    client.send_frame(BINARY, b"\xfe\xff")
    assert client.read_past_pings().payload == b"bytes"


def test_200_messages_in_one_packet(server, connect):
    client = connect(server, "/echo/")
    client.send_bytes(b"".join(build_frame(TEXT, f"message {i}") for i in range(200)))
    for i in range(200):
        assert client.read_past_pings().payload == b"message %d" % i


def test_message_behind_an_empty_one_arrives(server, connect):
    client = connect(server, "/echo/")
    client.send_bytes(build_frame(TEXT, "") * 3 + build_frame(TEXT, "behind"))
    assert client.read_past_pings().payload == b"behind"


def test_the_101_is_ours(server, connect):
    client = connect(server)
    response = client.open("/subprotocols/", headers={"Sec-WebSocket-Protocol": "unknown, chat"})
    assert response.headers["sec-websocket-protocol"] == "chat"
    assert "sec-websocket-origin" not in response.headers
    assert b"HTTP/1.1 101 Switching Protocols" in client.received


def test_server_closes_with_code_and_reason(server, connect):
    client = connect(server, "/close/?code=4001&reason=done")
    close = client.read_past_pings()
    assert (close.close_code, close.close_reason) == (4001, "done")
    client.send_close(4001)
    assert client.read_to_eof() in (b"", CLOSE)


def test_client_closes(server, connect, journal):
    case = f"{server.row.name}-close"
    client = connect(server, f"/echo/?case={case}")
    client.send_close(1000)
    assert client.read_past_pings().payload == b""
    assert client.read_to_eof() == b""
    ended = journal.wait(case, "ended")
    assert (ended["outcome"], ended["close_code"]) == ("returned", 1005)


@pytest.mark.parametrize("leave", ["hang_up", "reset"])
def test_client_vanishes(server, connect, journal, leave):
    case = f"{server.row.name}-{leave}"
    client = connect(server, f"/echo/?case={case}")
    client.send_text("here")
    assert client.read_past_pings().payload == b"here"
    getattr(client, leave)()
    assert journal.wait(case, "ended")["close_code"] == 1006


def test_first_fragment_is_refused(server, connect, journal):
    case = f"{server.row.name}-fragment"
    client = connect(server, f"/echo/?case={case}")
    client.send_bytes(build_frame(TEXT, "secret", fin=False))
    assert client.read_past_pings().close_code == 1003
    client.read_to_eof()
    assert journal.wait(case, "ended")["close_code"] == 1003


def test_nobody_gets_the_fragments_of_another(server, connect):
    for _ in range(10):
        first, second = connect(server, "/echo/"), connect(server, "/echo/")
        first.send_bytes(build_frame(BINARY, b"SECRET", fin=False))
        second.send_bytes(build_frame(BINARY, b"mine", fin=False) + build_frame(CONT, b"more"))
        for client in (first, second):
            client.read_to_eof()
            assert b"SECRET" not in client.received
            assert b"mine" not in client.received
        third = connect(server, "/echo/")
        third.send_frame(BINARY, b"whole")
        assert third.read_past_pings().payload == b"whole"
        for client in (first, second, third):
            client.hang_up()


def test_other_threads_get_an_error(server, connect):
    mark = server.log.mark()
    client = connect(server, "/threads/one/")
    server.log.wait_for(r"^dwebsocket.exceptions.InvalidState: with --https-socket", mark)
    client.send_text("the view's own thread")
    assert client.read_past_pings().payload == b"the view's own thread"


@pytest.mark.parametrize("path", ["/echo/async/", "/handler/async/"])
def test_coroutines_are_refused(server, connect, path):
    client = connect(server)
    client.send_request(path)
    response = client.read_response()
    assert response.status == 501
    assert b"async view" in response.body


@pytest.mark.parametrize("how", ["none", "response", "error"])
def test_no_http_behind_the_close(server, connect, how):
    mark = server.log.mark()
    client = connect(server, f"/ending/{how}/")
    assert client.read_past_pings().payload == b"hello"
    client.send_text("go")
    client.send_close(1000)
    client.read_past_pings()
    assert b"HTTP/1.1" not in client.read_to_eof()
    assert "headers already sent" not in server.log.text(mark)


def test_the_log_has_two_lines(server, connect):
    mark = server.log.mark()
    client = connect(server, "/echo/wait/")
    server.log.wait_for("WebSocket opened: /echo/wait/, user -, from 127.0.0.1$", since=mark)
    client.send_bytes(b"".join(build_frame(TEXT, f"message {i}") for i in range(20)))
    for _ in range(20):
        client.read_past_pings()
    client.send_close(1000)
    client.read_past_pings()
    server.log.wait_for(
        "WebSocket ended: /echo/wait/, .*, code 1005, after .* s, 20 messages received$", since=mark
    )
