"""The answer to a handshake that is refused is the last one on its connection, and says so.

A proxy that keeps its connections to servers must give this one to nobody else.
"""

import pytest

from ..raw_client import build_request
from .conftest import change_settings

EVIL = {"Origin": "http://evil.test"}
REFUSED = {
    "key": ("/echo/", {"Sec-WebSocket-Key": "short"}, 400),
    "origin": ("/echo/", EVIL, 403),
    "version": ("/echo/", {"Sec-WebSocket-Version": "8"}, 426),
    "keep-alive": ("/echo/", {"Connection": "keep-alive"}, 400),
    "host": ("/bare/echo/", {"Host": "no_name", "Origin": "http://no_name"}, 400),
    "host-async": ("/bare/echo/async/", {"Host": "no_name", "Origin": "http://no_name"}, 400),
    "host-handler": ("/bare/handler/echo/", {"Host": "no_name", "Origin": "http://no_name"}, 400),
    "host-middleware": ("/middleware-first/plain/", {"Host": "no_name"}, 400),
    "view": ("/manual/refuse/", {}, 403),
    "view-raises": ("/manual/raise/", {}, 500),
    "view-denies": ("/manual/deny/", {}, 403),
    "view-forgets": ("/manual/forget/", {}, 500),
    "replaced": ("/manual/replaced/", {}, 404),
    "async-view": ("/manual/async/refuse/", {}, 403),
    "async-view-raises": ("/manual/async/raise/", {}, 500),
    "handler": ("/handler/echo/", EVIL, 403),
    "handlers-mixin": ("/handler/guarded/", {}, 403),
    "middleware": ("/middleware-last/plain/", {}, 400),
    "decorator-outside": ("/middleware-first/placing/login/", {}, 302),
}
#: One of each way to such an answer; what they differ in besides is the same on all servers.
EACH_WAY = [
    *("origin", "host", "host-async", "view", "view-raises", "async-view", "handler"),
    *("handlers-mixin", "middleware"),
]
#: Answers of Django's to errors of a site without WebSocketMiddleware: uWSGI writes its headers
#: from C, and closes its connections without a word of ours.
ERRORS = {
    *("host", "host-async", "host-handler", "view-raises", "view-denies", "view-forgets"),
    *("async-view-raises", "replaced", "handlers-mixin"),
}
#: What an ASGI server may refuse in its own words.
OF_THE_SERVER = {"key", "version", "keep-alive"}


def check_last(row, client, response, *, says=True):
    if says and not response.head.startswith(b"HTTP/1.0 "):
        assert "close" in response.headers.get("connection", "").lower().split(", ")
    assert client.read_to_eof() == b""
    assert client.received.count(b"HTTP/1.") == 1


@pytest.mark.elsewhere(name=EACH_WAY)
@pytest.mark.rows(proxied=False, denies=True)  # what nginx says to clients is its own affair
@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_the_last_answer(server, row, new_client, address, journal, case, name):
    if row.asgi and name in OF_THE_SERVER:
        pytest.skip("the server itself refuses it")
    path, headers, status = REFUSED[name]
    runs = row.coroutines or "async" not in name
    if (
        not runs and name != "host-async"
    ):  # in a greenlet of its own, from which there is no way to the server's
        status = 501
    client = new_client()
    smuggled = build_request(address("/smuggled/"), client.host, websocket=False)
    client.send_request(address(path), headers=headers, early=b"" if row.asgi else smuggled)
    response = client.read_response()
    assert response.status == status
    says = runs and (not row.name.startswith("uwsgi") or name not in ERRORS)
    check_last(row, client, response, says=says)
    assert not journal.events(case, "smuggled")


@pytest.mark.rows(pages=True)
@pytest.mark.rows(proxied=False, denies=True)
def test_refusal_for_lack_of_room_is_the_last_answer(server, row, new_client, address):
    client = new_client()
    client.open(address("/handler/echo/"))
    client.send_text("counted")
    assert client.read_text() == "counted"
    change_settings(server, WEBSOCKET_MAX_CONNECTIONS=1)
    try:
        for path in ("/echo/", "/handler/echo/"):
            refused = new_client()
            refused.send_request(address(path))
            response = refused.read_response()
            assert response.status == 503
            check_last(row, refused, response)
    finally:
        change_settings(server)
