"""The opening handshake: the bytes of the 101, and that there is exactly one."""

import pytest

from ..raw_client import CLOSE, KEY, accept_key, build_frame

REQUIRED_EVERYWHERE = [
    "/placing/decorated/",
    "/placing/with-arguments/",
    "/placing/accepting/",
    "/placing/class/",
    "/placing/dispatch/",
    "/placing/get/",
    "/placing/exempt-outside/",
    "/placing/exempt-inside/",
    "/placing/twice/",
]
ELSEWHERE = ["/placing/decorated/", "/placing/accepting/", "/placing/exempt-outside/"]
MOUNTS = ["", "/middleware-last", "/middleware-first"]


@pytest.mark.rows(foreign=False)  # the server's own affair
def test_bytes_of_the_101(server, new_client, address):
    client = new_client()
    response = client.open(address("/echo/"))
    lines = response.head.decode("ascii").split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    assert lines[-2:] == ["", ""]
    for name in ("date", "server"):  # nginx's own
        response.headers.pop(name, None)
    assert response.headers.pop("connection").lower() == "upgrade"
    assert response.headers == {
        "upgrade": "websocket",
        "sec-websocket-accept": accept_key(KEY),
    }


def test_accept_key_belongs_to_the_request(server, new_client, address):
    key = "AAAAAAAAAAAAAAAAAAAAAA=="
    response = new_client().open(address("/echo/"), headers={"Sec-WebSocket-Key": key})
    assert response.headers["sec-websocket-accept"] == accept_key(key) != accept_key(KEY)


@pytest.mark.elsewhere(mount="", path=ELSEWHERE)
@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("path", REQUIRED_EVERYWHERE)
def test_exactly_one_101(server, open_websocket, mount, path):
    check_exactly_one_101(open_websocket(mount + path))


@pytest.mark.parametrize("mount", MOUNTS[1:])
def test_middleware_alone_accepts_a_marked_view(server, open_websocket, mount):
    check_exactly_one_101(open_websocket(mount + "/placing/marked/"))


@pytest.mark.rows(typical=True)
@pytest.mark.parametrize("mount", MOUNTS[1:])
def test_accept_all(lenient_server, open_websocket, mount):
    check_exactly_one_101(open_websocket(mount + "/placing/unmarked/", lenient_server))


def check_exactly_one_101(client):
    client.send_text("once")
    assert client.read_text() == "once"
    client.send_close()
    client.read_close()
    assert client.read_to_eof() == b""
    assert client.received.count(b"HTTP/1.1 101 ") == 1


@pytest.mark.elsewhere(mount="/middleware-last")
@pytest.mark.rows(database=True)
@pytest.mark.parametrize("mount", MOUNTS)
def test_login_required_lets_a_user_in(server, open_websocket, session_key, mount):
    headers = {"Cookie": f"sessionid={session_key}"}
    client = open_websocket(mount + "/placing/login/", headers=headers)
    assert client.read_text() == "ada"
    check_exactly_one_101(client)


def test_login_required_redirects_others_without_101(server, row, new_client, address):
    mark = server.log.mark()
    client = new_client()
    client.send_request(address("/placing/login/"))
    response = client.read_response()
    if row.denies:
        assert response.status == 302
        assert response.headers["location"].startswith("/accounts/login/?next=")
    else:
        assert response.status == 403
        server.log.wait_for(
            r"^WARNING dwebsocket\.handshake: .* redirects to /accounts/login", since=mark
        )
    assert b" 101 " not in client.received


@pytest.mark.rows(pages=True)
@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", MOUNTS)
def test_accepting_view_answers_plain_http(server, new_client, address, mount):
    client = new_client()
    client.send_request(address(mount + "/placing/accepting/"), websocket=False)
    response = client.read_response()
    assert (response.status, response.body) == (200, b"plain HTTP, websocket is None")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Connection": "keep-alive, Upgrade"}, id="firefox"),
        pytest.param({"Connection": "upgrade", "Upgrade": "WebSocket"}, id="case"),
        pytest.param({"Sec-WebSocket-Extensions": "x-unknown; a=1"}, id="unknown-extension"),
        pytest.param({"Cookie": "a=" + "b" * 2000}, id="long-cookie"),
    ],
)
def test_headers_as_clients_write_them(server, open_websocket, headers):
    check_exactly_one_101(open_websocket("/echo/", headers=headers))


def test_handshake_byte_by_byte(server, new_client, address):
    client = new_client()
    client.send_request(address("/echo/"), step=1)
    assert client.read_response().status == 101
    check_exactly_one_101(client)


@pytest.mark.elsewhere(offered=["unknown, chat", None])
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("chat", "chat"),
        ("unknown, chat", "chat"),
        ("chat, superchat", {"chat", "superchat"}),
        ("unknown", None),
        (None, None),
    ],
)
def test_subprotocol(server, new_client, address, offered, chosen):
    client = new_client()
    headers = {"Sec-WebSocket-Protocol": offered}
    response = client.open(address("/subprotocols/"), headers=headers)
    selected = response.headers.get("sec-websocket-protocol")
    assert selected == chosen or (isinstance(chosen, set) and selected in chosen)
    client.send_text("which one?")
    assert client.read_text() == str(selected)


def test_view_accepts_by_itself(server, row, new_client, address, journal, case):
    client = new_client()
    headers = {"Sec-WebSocket-Protocol": "chat"}
    response = client.open(address("/manual/accept/"), headers=headers)
    assert response.headers["sec-websocket-protocol"] == "chat"
    assert response.headers.get("x-room") == ("blue" if row.headers else None)
    check_exactly_one_101(client)
    assert journal.wait(case, "ended")["outcome"] == "returned"


def test_view_whose_first_try_to_accept_fails(new_client, address):
    client = new_client()
    client.open(address("/manual/accept-again/"))
    assert "not accepted yet" in client.read_text()
    assert client.read_close().close_code == 1000


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", MOUNTS)
def test_view_refuses_by_an_ordinary_response(server, row, new_client, address, mount):
    client = new_client()
    client.send_request(address(mount + "/manual/refuse/"))
    response = client.read_response()
    assert (response.status, response.body) == (403, b"the room is full" if row.denies else b"")


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", MOUNTS)
def test_view_that_raises_before_the_101_is_a_500(server, row, new_client, address, mount):
    mark = server.log.mark()
    client = new_client()
    client.send_request(address(mount + "/manual/raise/"))
    assert client.read_response().status == (500 if row.denies else 403)
    server.log.wait_for("^tests.*DeliberateError: before the 101", since=mark)
    assert build_frame(CLOSE, masked=False)[:1] not in client.unread()
