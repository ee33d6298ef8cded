"""WSGI middleware puts something of its own into wsgi.input: the connection is found all the same,
and closed."""

import pytest

from ..raw_client import TEXT, build_frame, build_request

pytestmark = pytest.mark.rows(asgi=False)

MOUNTS = ["/input-counted", "/input-read", "/input-copied"]
mounts = pytest.mark.parametrize("mount", MOUNTS)


@pytest.mark.elsewhere(path="/echo/")
@mounts
@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/", "/middleware-last/placing/marked/"])
def test_echo(server, row, open_websocket, mount, path):
    clients = [open_websocket(mount + path) for _ in range(3 if row.concurrent else 1)]
    for number, client in enumerate(clients):
        client.send_text(f"hello {number}")
    for number, client in enumerate(clients):
        assert client.read_text() == f"hello {number}"
        client.send_close()
        assert client.read_close().close_code == 1000


@pytest.mark.elsewhere(path="/async/echo/")
@mounts
@pytest.mark.rows(coroutines=True)
@pytest.mark.parametrize("path", ["/async/echo/", "/async/handler/echo/"])
def test_echo_of_coroutines(server, row, open_websocket, mount, path):
    if mount == "/input-copied":
        pytest.skip("in another thread than the server's, nothing tells whose it is")
    clients = [open_websocket(mount + path) for _ in range(3 if row.concurrent else 1)]
    for number, client in enumerate(clients):
        client.send_text(f"hello {number}")
    for number, client in enumerate(clients):
        assert client.read_text() == f"hello {number}"


@pytest.mark.elsewhere(path="/echo/")
@mounts
@pytest.mark.rows(early_bytes=True)
@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/"])
def test_early_bytes(server, new_client, address, mount, path):
    client = new_client()
    client.open(address(mount + path), early=build_frame(TEXT, "early"))
    assert client.read_text() == "early"


@mounts
@pytest.mark.rows(proxied=False)
def test_nothing_is_served_behind_a_refusal(server, new_client, address, journal, case, mount):
    client = new_client()
    smuggled = build_request(address("/smuggled/"), client.host, websocket=False)
    client.send_request(
        address(mount + "/echo/"), headers={"Origin": "http://evil.test"}, early=smuggled
    )
    assert client.read_response().status == 403
    client.read_to_eof()
    assert b" 200 " not in client.received
    assert not journal.events(case, "smuggled")
