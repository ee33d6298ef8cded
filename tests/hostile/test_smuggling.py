"""A second request hidden where a WebSocket's frames would be.

A proxy that has passed a handshake on takes what follows for frames. A server that read a request
in them would answer what no access rule of the proxy has seen.
"""

import pytest

from ..raw_client import TEXT, build_close, build_frame, build_request

#: hypercorn, of which the application never hears.
KEPT = "what this server refuses itself it reads on, for nobody, until the client hangs up"

#: What a WebSocket library of the server's answers, where it is another one than ours.
CHECKED = {"post": 405, "version": 400}

REFUSED = {
    "key": ("/echo/", {"headers": {"Sec-WebSocket-Key": "short"}}, 400),
    "post": ("/placing/exempt-outside/", {"method": "POST"}, 400),
    "version": ("/echo/", {"headers": {"Sec-WebSocket-Version": "8"}}, 426),
    "origin": ("/echo/", {"headers": {"Origin": "http://evil.test"}}, 403),
    "marked-address": ("/middleware-last/plain/", {}, 400),
    "refused-by-the-view": ("/manual/refuse/", {}, 403),
}


@pytest.fixture
def hidden(server, address):
    return build_request(address("/smuggled/"), f"{server.host}:{server.port}", websocket=False)


def check_not_served(client, journal, case):
    """Not one byte more comes, and nobody served what was hidden."""
    assert client.read_to_eof() == b""
    assert not journal.events(case, "smuggled")


@pytest.mark.parametrize("name", REFUSED)
def test_request_behind_a_refused_handshake(
    row, meter, new_client, address, journal, case, hidden, name
):
    path, request, status = REFUSED[name]
    if name == "version" and row.refuses_early:
        pytest.skip(KEPT)
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_request(address(path), early=hidden, **request)
        if name in row.checks:
            status = CHECKED[name]
        assert client.read_response().status == (400 if row.refuses_early else status)
        check_not_served(client, journal, case)


def test_request_some_time_behind_a_refused_handshake(
    row, meter, new_client, address, journal, case, hidden
):
    """The same with the answer already read: the connection is over, whoever speaks first."""
    if row.package == "werkzeug":
        pytest.skip("Werkzeug reads what follows an answer, for nobody, until the client hangs up")
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_request(address("/echo/"), headers={"Origin": "http://evil.test"})
        assert client.read_response().status == 403
        try:
            client.send_bytes(hidden)
        except (BrokenPipeError, ConnectionResetError):
            return
        check_not_served(client, journal, case)


@pytest.mark.parametrize(
    "before",
    [b"", build_frame(TEXT, "hello"), build_frame(TEXT, "hello")[:3]],
    ids=["nothing", "message", "half a frame"],
)
def test_request_behind_a_close(meter, open_websocket, journal, case, hidden, before):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        whole = b"" if len(before) == 3 else before
        client.send_bytes(whole + build_close(1000) + hidden)
        if whole:
            assert client.read_text() == "hello"
        assert client.read_close().close_code == 1000
        check_not_served(client, journal, case)
        journal.wait(case, "ended")


def test_request_instead_of_a_frame(meter, open_websocket, journal, case, hidden):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_bytes(hidden)
        assert client.read_close().close_code == 1002
        check_not_served(client, journal, case)
        journal.wait(case, "ended")


def test_two_handshakes_on_one_connection(meter, open_websocket, journal, case, address):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_request(address("/echo/"))
        assert client.read_close().close_code == 1002
        assert client.read_to_eof() == b""
        journal.wait(case, "ended")
    assert len(journal.events(case, "started")) == 1


def test_two_handshakes_in_one_packet(row, meter, new_client, journal, case, address):
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_request(address("/echo/"), early=build_request(address("/echo/"), client.host))
        response = client.read_response()
        lost = 400 if row.refuses_early else 501
        assert response.status == (101 if row.early_bytes or row.loses_early else lost)
        if row.loses_early:
            client.send_close(1000)
        if response.status == 101:
            assert client.read_close().close_code == (1000 if row.loses_early else 1002)
            journal.wait(case, "ended")
        assert client.read_to_eof() == b""
    assert len(journal.events(case, "started")) <= 1


def test_http_1_0(row, meter, new_client, address, journal, case, hidden):
    if not row.http_version:
        pytest.skip("this server does not say which HTTP version the request has")
    if row.refuses_early:
        pytest.skip(KEPT)
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_request(address("/echo/"), version="HTTP/1.0", early=hidden)
        assert client.read_response().status == 400
        check_not_served(client, journal, case)
    assert not journal.events(case, "started")


@pytest.mark.parametrize("kind", ["content-length", "chunked", "both"])
def test_handshake_with_a_body(row, meter, new_client, address, journal, case, hidden, kind):
    """Whoever reads the body's end elsewhere than we do would find a request there."""
    body, headers = hidden, {}
    if kind != "chunked":
        headers["Content-Length"] = str(len(hidden))
    if kind != "content-length":
        headers["Transfer-Encoding"] = "chunked"
        body = f"{len(hidden):x}\r\n".encode() + hidden + b"\r\n0\r\n\r\n"
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_request(address("/echo/"), headers=headers, early=body + hidden)
        if "body" in row.checks and kind != "both":
            with pytest.raises(TimeoutError):
                client.read_to_eof(0.5)
            client.hang_up()
        else:
            assert client.read_response().status == 400
            check_not_served(client, journal, case)
    assert not journal.events(case, "started")
