"""Whatever a view ends with: one Close frame, then the end of the stream. Not one HTTP byte."""

import pytest

from ..raw_client import TEXT, build_close, build_frame, build_request

ENDINGS = {
    "none": 1000,
    "response": 1000,
    "json": 1000,
    "stream": 1000,
    "closed": 1000,
    "error": 1011,
    "404": 1011,
    "permission-denied": 1011,
}
MOUNTS = ["", "/middleware-last", "/middleware-first"]
# What a client may have sent to a view that does not look, before it sends HTTP.
UNREAD = {
    "nothing": b"",
    "message": build_frame(TEXT, "unread"),
    "half": build_frame(TEXT, "unread")[:-3],
    "close": build_close(1000),
}


@pytest.mark.elsewhere(mount="", how=["response", "error"])
@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("how", ENDINGS)
def test_one_close_and_not_one_byte_more(
    server, row, open_websocket, address, journal, case, mount, how
):
    """The request behind the client's Close must not be served either."""
    client = open_websocket(f"{mount}/ending/{how}/")
    check_end(row, client, ENDINGS[how], smuggle(client, address))
    check_not_served(journal, case)


@pytest.mark.rows(typical=True)
@pytest.mark.elsewhere(how="error")
@pytest.mark.parametrize("how", ENDINGS)
def test_debug_page_does_not_leak(lenient_server, row, open_websocket, address, journal, case, how):
    client = open_websocket(f"/ending/{how}/", lenient_server)
    check_end(row, client, ENDINGS[how], smuggle(client, address))
    check_not_served(journal, case)


def smuggle(client, address):
    return build_request(address("/smuggled/"), client.host, websocket=False)


def check_end(row, client, code, behind_the_close):
    assert client.read_text() == "hello"
    client.send_text("go")
    close = client.read_close()
    assert close.close_code == row.shown(code)[0]
    assert "must not" not in close.close_reason
    try:
        client.send_bytes(build_close(code) + behind_the_close)
    except ConnectionError:
        return  # it has hung up already: nothing can come any more
    assert client.read_to_eof() == b""


def test_error_is_logged_once(server, row, open_websocket, journal, case):
    mark = server.log.mark()
    path = f"/ending/error/{case}/"
    client = open_websocket(path)
    check_end(row, client, 1011, b"")
    assert journal.wait(case, "ended")["outcome"] == "DeliberateError"
    server.log.wait_for(f"^ERROR django.request: Internal Server Error: {path}", mark)
    server.log.wait_for(f"^tests.*DeliberateError: must not reach the socket: {path}", mark)
    assert server.log.text(mark).count(f"DeliberateError: must not reach the socket: {path}") == 1


def test_escaped_connection_closed_is_no_error(server, row, open_websocket, journal, case):
    mark = server.log.mark()
    path = f"/ending/closed-by-client/{case}/"
    client = open_websocket(path)
    assert client.read_text() == "hello"
    client.send_text("go")
    client.send_close(4001, "bye")
    assert client.read_close().close_code == row.answered(4001)
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["outcome"] == "ConnectionClosed"
    lines = [line for line in server.log.text(mark).splitlines() if path in line]
    assert not [line for line in lines if line.startswith(("ERROR", "WARNING"))]


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", MOUNTS)
def test_request_behind_the_clients_close_is_not_served(
    server, open_websocket, address, journal, case, mount, echo
):
    client = open_websocket(mount + echo.path)
    client.send_bytes(build_close(1000) + smuggle(client, address) * 2)
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""
    journal.wait(case, "ended")
    assert not journal.events(case, "smuggled")


def test_request_instead_of_the_answer_to_the_close(
    server, row, open_websocket, address, journal, case
):
    """The client never answers our Close, it sends HTTP. That ends it, and is not served."""
    client = open_websocket("/ending/error/")
    assert client.read_text() == "hello"
    client.send_text("go")
    assert client.read_close().close_code == row.shown(1011)[0]
    client.send_bytes(smuggle(client, address))
    assert client.read_to_eof(timeout=15) == b""  # WEBSOCKET_CLOSE_TIMEOUT is 1.5
    check_not_served(journal, case)


def test_request_behind_a_forbidden_frame_is_not_served(
    server, row, open_websocket, address, journal, case, echo
):
    client = open_websocket(echo.path)
    forbidden = build_frame(TEXT, "unmasked", masked=False)
    client.send_bytes(forbidden + smuggle(client, address) * 2)
    if not row.foreign:  # there the server closes with what it likes, or just hangs up
        assert client.read_close().close_code == 1002
        assert client.read_to_eof(timeout=15) == b""
    client.read_to_eof(timeout=15)
    assert b"HTTP/1.1 200" not in client.received
    check_not_served(journal, case)


@pytest.mark.rows(patched=True)  # the view sleeps
def test_request_that_the_view_never_read_is_not_served(server, row, new_client, journal, case):
    """The view only pushes, so what the client sent may lie unread when the view ends."""
    ways = {
        f"{case}-{first}-{leave}": (before, leave)
        for first, before in UNREAD.items()
        for leave in ("hangs-up", "stays")
    }
    # All at once where the server can: the view's second is waited for only once.
    one_by_one = [[name] for name in ways if name.endswith("stays")]
    for group in [list(ways)] if row.concurrent else one_by_one:
        staying = []
        for name in group:
            client = new_client()
            client.open(f"/push/?case={name}")
            assert client.read_text() == "tick"
            before, leave = ways[name]
            request = build_request(f"/smuggled/?case={name}", client.host, websocket=False)
            client.send_bytes(before + request)
            if leave == "hangs-up":
                client.hang_up()
            else:
                staying.append(client)
        for client in staying:
            client.read_to_eof()
            assert b"HTTP/1.1 200" not in client.received
        for name in group:
            check_not_served(journal, name)


def check_not_served(journal, case):
    journal.wait(case, "ended")
    assert not journal.events(case, "smuggled")


@pytest.mark.rows(pages=True)
@pytest.mark.elsewhere(how="error", leave="reset")
@pytest.mark.parametrize("leave", ["hang_up", "reset"])
@pytest.mark.parametrize("how", ["response", "error"])
def test_client_that_left_before_the_view_ended(
    server, open_websocket, new_client, address, journal, case, how, leave
):
    client = open_websocket(f"/ending/{how}/")
    assert client.read_text() == "hello"
    client.send_text("go")
    getattr(client, leave)()
    journal.wait(case, "ended")
    other = new_client()
    other.send_request(address("/plain/"), websocket=False)
    assert other.read_response().body == b"plain"
