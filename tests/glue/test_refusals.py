"""A refused handshake: plain HTTP with its status and a reason, and one line in the log."""

import logging
from io import BytesIO

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.backends.sockets import sweeper

from .site import MIDDLEWARE, OURS


@require_websocket
def greet(request):
    request.websocket.send("hello")


@require_websocket
async def async_greet(request):
    await request.websocket.asend("hello")


def plain(request):
    return HttpResponse("plain")


def warnings_of(caplog):
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


HANDSHAKES = [
    ({"method": "POST", "headers": {"Content-Length": "0"}}, 400, "GET"),
    ({"version": "HTTP/1.0"}, 400, "HTTP/1.1"),
    ({"headers": {"Content-Length": "5"}, "early": b"hello"}, 400, "body"),
    ({"headers": {"Connection": "keep-alive"}}, 400, "Connection"),
    ({"headers": {"Connection": None}}, 400, "Connection"),
    ({"headers": {"Upgrade": "websocket, other"}}, 400, "Upgrade"),
    ({"headers": {"Sec-WebSocket-Version": None}}, 400, "Sec-WebSocket-Version"),
    ({"headers": {"Sec-WebSocket-Version": "8"}}, 426, "'8'"),
    ({"headers": {"Sec-WebSocket-Key": None}}, 400, "proxy that takes WebSockets over HTTP/2"),
    ({"headers": {"Sec-WebSocket-Key": "!!!!"}}, 400, "base64"),
    ({"headers": {"Sec-WebSocket-Key": "c2hvcnQ="}}, 400, "16 bytes"),
    ({"headers": {"Sec-WebSocket-Protocol": "a b"}}, 400, "Sec-WebSocket-Protocol"),
    ({"headers": {"Origin": "http://evil.test"}}, 403, "Origin"),
]


@pytest.mark.parametrize(("request_", "status", "word"), HANDSHAKES)
def test_bad_handshake(site, caplog, request_, status, word):
    site.serve(greet, MIDDLEWARE=[])  # without CsrfViewMiddleware, which refuses the POST
    client = site.connect()
    client.send_request("/", **request_)
    response = client.read_response()
    client.join()
    assert response.status == status
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert word in response.body.decode()
    assert response.body.endswith(b"\n")
    assert (response.headers.get("sec-websocket-version") == "13") == (status == 426)
    [record] = warnings_of(caplog)
    assert (record.name, record.levelname) == ("dwebsocket.handshake", "WARNING")
    assert record.getMessage() == (
        f"WebSocket refused with {status}: {request_.get('method', 'GET')} /: "
        + response.body.decode().rstrip("\n")
    )
    assert record.status_code == status
    assert record.request.path == "/"


def test_a_method_is_printed_as_it_can_be(caplog):
    """As any other text of a client's: an escape sequence would reach the screen."""
    response = greet(RequestFactory().generic("\x1b[31mGET\n", "/"))
    assert response.status_code == 400
    [record] = warnings_of(caplog)
    assert r"400: \x1b[31MGET\n /: This" in record.getMessage()


@pytest.mark.parametrize("handler", [False, True])
@pytest.mark.parametrize(
    ("offered", "told"),
    [("chat", []), ("other, chat", []), (None, []), ("a, b", ["a, b"]), ("a" * 999, ["a" * 500])],
)
def test_offers_of_which_none_is_taken_are_in_the_log(site, caplog, handler, offered, told):
    """Chromium fails such a connection after the 101, and its user sees no reason."""
    view = Speaking.as_view() if handler else require_websocket(subprotocols=["chat"])(speak)
    site.serve(view)
    client = site.open("/", headers={"Sec-WebSocket-Protocol": offered})
    client.send_close()
    client.read_close()
    messages = [record.getMessage() for record in warnings_of(caplog)]
    assert messages == [
        f"WebSocket accepted without a subprotocol: /: the client offers {shown}, and the view "
        "names none of them in its subprotocols. Browsers fail such a connection."
        for shown in told
    ]


def speak(request):
    request.websocket.wait()


class Speaking(WebSocketHandler):
    subprotocols = ("chat",)


def test_plain_http_on_a_view_that_requires_websocket(site, caplog):
    response = site.serve(greet).get("/")
    assert response.status_code == 400
    assert b"WebSockets only" in response.content
    [record] = warnings_of(caplog)
    assert "GET /" in record.getMessage()


def test_websocket_on_a_view_that_accepts_none(site, caplog):
    site.serve(plain, MIDDLEWARE=[*MIDDLEWARE, OURS])
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    client.join()
    assert (response.status, response.body) == (400, b"This address does not accept WebSockets.\n")
    assert len(warnings_of(caplog)) == 1


def test_without_the_middleware_an_undecorated_view_serves_plain_http(site):
    site.serve(plain)
    client = site.connect()
    client.send_request("/")
    assert client.read_response().body == b"plain"


def test_unsupported_server_is_501_and_names_others(site, caplog, rf_meta):
    request = RequestFactory().get("/", **rf_meta, **{"wsgi.input": BytesIO()})
    response = greet(request)
    assert response.status_code == 501
    for name in ("MysteryServer/1", "gunicorn", "gevent", "runserver", "waitress"):
        assert name in response.content.decode()
    [record] = warnings_of(caplog)
    assert record.levelname == "ERROR"
    assert "gunicorn" in record.getMessage()


@pytest.mark.parametrize("made", ["whole", "half"])
@pytest.mark.parametrize("view", [greet, async_greet, WebSocketHandler.as_view()])
def test_django_s_own_clients_are_told_of_ours(site, rf_meta, view, made):
    """They have no connection that could become a WebSocket."""
    site.serve(view)
    headers = {"Upgrade": "websocket"}
    if made == "whole":
        headers |= {"Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        headers["Sec-WebSocket-Key"] = rf_meta["HTTP_SEC_WEBSOCKET_KEY"]
    responses = [
        Client().get("/", headers=headers),
        async_to_sync(AsyncClient().get)("/", headers=headers),
    ]
    if view is not async_greet:
        responses.append(view(RequestFactory().get("/", headers=headers)))
    for response in responses:
        assert response.status_code == (501 if made == "whole" else 400)
        assert "comes from Django's test client or from RequestFactory" in response.text
        assert "dwebsocket.testing.WebSocketClient" in response.text
        assert ("let go of its socket" in response.text) is False
        assert ("The Connection header is ''" in response.text) == (made == "half")


@pytest.fixture
def rf_meta():
    """A good handshake, from a server that is not known."""
    return {
        "SERVER_SOFTWARE": "MysteryServer/1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    }


def test_accepting_view_without_upgrade_logs_nothing(site, caplog):
    @accept_websocket
    def view(request):
        return HttpResponse("fine")

    assert site.serve(view).get("/").content == b"fine"
    assert warnings_of(caplog) == []


def test_too_many_connections_are_503(site, caplog, monkeypatch):
    @require_websocket
    def view(request):
        request.websocket.send("in")
        request.websocket.wait()

    monkeypatch.setattr(sweeper, "sweepers", {})  # whatever earlier tests have left open
    client = site.serve(view, WEBSOCKET_MAX_CONNECTIONS=2)
    with client.websocket("/") as first, client.websocket("/") as second:
        assert (first.receive(), second.receive()) == ("in", "in")
        third = site.connect()
        third.send_request("/")
        response = third.read_response()
        assert response.status == 503
        assert "2 WebSockets" in response.body.decode()
        third.join()
    assert len(warnings_of(caplog)) == 1
    with client.websocket("/") as again:
        assert again.receive() == "in"
