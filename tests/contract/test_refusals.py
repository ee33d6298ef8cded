"""Handshakes that must not become a WebSocket: a real HTTP answer that says why, and a log line."""

import re
from contextlib import suppress

import pytest

from ..raw_client import BINARY, KEY, build_frame, build_request

#: What is no handshake is asked of the site.
PLAIN = ("plain-http", "lost-upgrade")

#: A handshake as nginx passes it on if it is not told to pass Upgrade on.
LOST = {"Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
REFUSED = {
    "post": ("/placing/exempt-outside/", {"method": "POST"}, 400, "POST"),
    "http-1.0": ("/echo/", {"version": "HTTP/1.0"}, 400, "HTTP/1.1"),
    "no-key": ("/echo/", {"headers": {"Sec-WebSocket-Key": None}}, 400, "Sec-WebSocket-Key"),
    "short-key": (
        "/echo/",
        {"headers": {"Sec-WebSocket-Key": "c2hvcnQ="}},
        400,
        "Sec-WebSocket-Key",
    ),
    "key-not-base64": (
        "/echo/",
        {"headers": {"Sec-WebSocket-Key": "!" * 24}},
        400,
        "Sec-WebSocket-Key",
    ),
    "no-version": (
        "/echo/",
        {"headers": {"Sec-WebSocket-Version": None}},
        400,
        "Sec-WebSocket-Version",
    ),
    "version-8": ("/echo/", {"headers": {"Sec-WebSocket-Version": "8"}}, 426, "13"),
    "body": ("/echo/", {"headers": {"Content-Length": "5"}, "early": b"01234"}, 400, "body"),
    "origin": ("/echo/", {"headers": {"Origin": "http://evil.test"}}, 403, "http://evil.test"),
    "origin-null": ("/echo/", {"headers": {"Origin": "null"}}, 403, "null"),
    "handler-no-key": (
        "/handler/echo/",
        {"headers": {"Sec-WebSocket-Key": None}},
        400,
        "Sec-WebSocket-Key",
    ),
    "handler-version-8": (
        "/handler/echo/",
        {"headers": {"Sec-WebSocket-Version": "8"}},
        426,
        "13",
    ),
    "handler-origin": (
        "/handler/echo/",
        {"headers": {"Origin": "http://evil.test"}},
        403,
        "http://evil.test",
    ),
    "handler-plain-http": ("/handler/echo/", {"websocket": False}, 400, "WebSocket"),
    "handler-decorated-plain-http": (
        "/handler/decorated/",
        {"websocket": False},
        400,
        "WebSocket",
    ),
    "plain-http": ("/echo/", {"websocket": False}, 400, "WebSocket"),
    "lost-upgrade": ("/echo/", {"websocket": False, "headers": LOST}, 400, "A proxy in front"),
    "handler-lost-upgrade": (
        "/handler/echo/",
        {"websocket": False, "headers": LOST},
        400,
        "A proxy in front",
    ),
    "no-connection-upgrade": (
        "/echo/",
        {"headers": {"Connection": "keep-alive"}},
        400,
        "WebSocket",
    ),
    "view-without-websocket": ("/middleware-last/plain/", {}, 400, "WebSocket"),
    "view-without-websocket-first": ("/middleware-first/plain/", {}, 400, "WebSocket"),
}


#: What an ASGI server may refuse in its own words, before anybody asks us.
OF_THE_SERVER = {
    *("post", "http-1.0", "no-key", "short-key", "key-not-base64", "no-version", "version-8"),
    *("no-connection-upgrade", "handler-no-key", "handler-version-8"),
}


#: What servers tell in ways of their own. The others differ in what we look at, which is the same.
OF_EACH_SERVER = [
    *("post", "http-1.0", "no-key", "body", "origin", "handler-origin", "plain-http"),
    *("lost-upgrade", "handler-lost-upgrade", "no-connection-upgrade", "view-without-websocket"),
]


#: What is logged behind a 101, and so by an earlier case whose client has been quick.
LATE = "WebSocket accepted "


@pytest.fixture
def mark(server, row, new_client, case):
    """Where the log of this case begins: what was written of an earlier one has been read."""
    path = f"/unknown/{case}/"
    client = new_client()
    client.send_request(path, websocket=not row.pages)
    assert client.read_response().status == 404
    line = "Not Found: " if row.pages else "handshake answered with 404: GET "
    server.log.wait_for(f"{line}{path}")
    return server.log.mark()


@pytest.mark.elsewhere(name=OF_EACH_SERVER)
@pytest.mark.parametrize("name", REFUSED)
def test_refusal_says_why(server, row, new_client, address, journal, case, mark, name):
    if not row.pages and name.endswith(PLAIN):
        pytest.skip("plain HTTP is not the site's here")
    if row.asgi and name == "body":
        pytest.skip("uvicorn and daphne fail over such a request and never answer it")
    if name == "http-1.0" and not row.http_version:
        pytest.skip("this server does not say which HTTP version the request has")
    if name == "post" and not row.checks_method:
        pytest.skip("this server takes any method, and does not say which")
    path, request, status, words = REFUSED[name]
    client = new_client()
    client.send_request(address(path), **request)
    response = client.read_response()
    assert not journal.events(case, "started")
    if row.asgi and name in OF_THE_SERVER:
        assert 400 <= response.status < 500
        return
    websocket = request.get("websocket", True)
    assert response.status == (status if row.denies or not websocket else 403)
    line = server.log.wait_for(rf"^WARNING dwebsocket\.handshake: (?!{LATE}).*$", since=mark)[0]
    said = response.body.decode() if row.denies or not websocket else line
    assert words.lower() in said.lower()
    assert ("sec-websocket-version" in response.headers) == (status == 426)
    if status == 426:
        assert response.headers["sec-websocket-version"] == "13"
    check_connection_afterwards(client, response, address)
    lines = [line for line in server.log.text(mark).splitlines() if "dwebsocket.handshake" in line]
    told_once = "WebSockets: "  # by the first handshake of a server
    others = tuple(f"dwebsocket.handshake: {words}" for words in (told_once, LATE))
    lines = [line for line in lines if not any(words in line for words in others)]
    assert len(lines) == 1, lines
    assert not journal.events(case, "started")


def check_connection_afterwards(client, refusal, address):
    """The server answers the next request, or it closes: nothing in between."""
    if says_close(refusal):
        assert client.read_to_eof() == b""
        return
    client.send_request(address("/plain/"), websocket=False)
    before = len(client.received)
    try:
        response = client.read_response()
    except EOFError:
        assert len(client.received) == before
    else:
        assert (response.status, response.body) == (200, b"plain")


def says_close(response):
    return response.head.startswith(b"HTTP/1.0") or "close" in response.headers.get(
        "connection", ""
    )


@pytest.mark.elsewhere(mount="")
@pytest.mark.rows(proxied=False)  # a request behind a refused one is nginx's to pass on
@pytest.mark.parametrize("mount", ["", "/middleware-last", "/middleware-first"])
@pytest.mark.parametrize("path", ["/manual/refuse/", "/manual/raise/"])
def test_nothing_behind_a_views_refusal_is_served(
    server, row, new_client, address, journal, case, mount, path
):
    client = new_client()
    smuggled = build_request(address("/smuggled/"), client.host, websocket=False)
    early = b"" if row.asgi else smuggled  # what comes too early is lost there, or refused
    client.send_request(address(mount + path), early=early)
    assert client.read_response().status >= 400
    if not early:
        with suppress(ConnectionError):
            client.send_bytes(smuggled)
    client.read_to_eof()
    assert b" 200 " not in client.received
    assert not journal.events(case, "smuggled")


@pytest.mark.rows(asgi=True, proxied=False, foreign=False)
def test_a_client_that_has_said_much_gets_the_refusal(
    server, new_client, address, journal, case, tmp_path
):
    """Unread it would make the system reset the connection, and the answer be lost on its way."""
    decide = tmp_path / "decide"
    client = new_client()
    client.send_request(f"{address('/manual/refuse/late/')}&until={decide}")
    journal.wait(case, "deciding")
    client.send_bytes(build_frame(BINARY, bytes(30_000)))
    decide.touch()
    assert client.read_response().body == b"the room is full"
    assert client.read_to_eof() == b""
    assert not client.reset_by_peer


@pytest.mark.elsewhere(mount="", scheme="http")
@pytest.mark.parametrize("mount", ["", "/middleware-last", "/middleware-first"])
@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_origin_of_the_site_passes(server, row, new_client, address, mount, scheme):
    client = new_client()
    origin = f"{scheme}{'s' * row.tls}://{client.host}"
    client.open(address(mount + "/placing/decorated/"), headers={"Origin": origin})


@pytest.mark.elsewhere(origin="https://a.wild.test")
@pytest.mark.parametrize("origin", ["https://trusted.test", "https://a.wild.test"])
def test_trusted_origin_passes(server, open_websocket, origin):
    open_websocket("/echo/", headers={"Origin": origin})


def test_origin_of_the_other_scheme_is_refused(server, row, new_client, address, mark):
    client = new_client()
    origin = f"{'http' if row.tls else 'https'}://{client.host}"
    client.send_request(address("/echo/"), headers={"Origin": origin})
    assert client.read_response().status == 403
    server.log.wait_for(rf"^WARNING dwebsocket\.handshake: (?!{LATE})", since=mark)


@pytest.mark.rows(pages=True)
def test_a_handshake_that_is_answered_as_plain_http_is_in_the_log(
    plain_server, new_client, address
):
    for _ in range(2):
        client = new_client()
        client.send_request(address("/placing/accepting/"), websocket=False, headers=LOST)
        assert client.read_response().body == b"plain HTTP, websocket is None"
    log = plain_server.log
    line = r"^WARNING dwebsocket\.handshake: WebSocket answered as plain HTTP: GET /placing/acc.*$"
    log.wait_for(line)
    assert len(re.findall(line, log.text(), re.M)) == 1


@pytest.mark.parametrize("path", ["/subprotocols/", "/handler/echo/"])
def test_subprotocols_of_which_none_is_spoken_are_in_the_log(server, open_websocket, mark, path):
    open_websocket(path, headers={"Sec-WebSocket-Protocol": "never, spoken"})
    line = r"^WARNING dwebsocket\.handshake: WebSocket accepted without a subprotocol: "
    server.log.wait_for(rf"{line}{path}: the client offers never, spoken,", since=mark)


@pytest.mark.rows(denies=True)
def test_websocket_request_for_a_plain_view_without_middleware(server, new_client, address):
    """Nobody of us sees the request, so it is what it was before: plain HTTP."""
    client = new_client()
    client.send_request(address("/plain/"))
    response = client.read_response()
    assert (response.status, response.body) == (200, b"plain")


@pytest.mark.rows(denies=False)
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/plain/", "answered with 200, of which the client gets 403"),
        ("/placing/login/", "redirects to /"),
    ],
)
def test_an_answer_that_the_client_does_not_get_is_in_the_log(
    server, new_client, address, mark, path, words
):
    client = new_client()
    client.send_request(address(path))
    assert client.read_response().status == 403
    line = rf"^WARNING dwebsocket\.handshake: (?!{LATE}).*"
    line = server.log.wait_for(line, since=mark)[0]
    assert path in line
    assert words in line
