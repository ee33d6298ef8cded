"""A proxy has removed the Upgrade header of a handshake: the answer says so, or else the log."""

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.upgrade import lost_upgrade

from ..raw_client import KEY
from .site import MIDDLEWARE, OURS
from .test_refusals import warnings_of

#: What nginx passes on if it is not told to pass Upgrade on.
LOST = {"Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", "Connection": "close"}
WHY = "A proxy in front has removed the Upgrade header of this WebSocket handshake"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(lost_upgrade, "told", set())


@require_websocket
def requiring(request):
    raise AssertionError("it is plain HTTP")


class Handler(WebSocketHandler):
    pass


class Page(WebSocketHandler):
    def get(self, request):
        return HttpResponse("plain")


@accept_websocket
def accepting(request):
    assert not request.is_websocket()
    return HttpResponse("plain")


@accept_websocket
def other(request):
    return HttpResponse("plain")


@accept_websocket
async def async_accepting(request):
    return HttpResponse("plain")


def unmarked(request):
    return HttpResponse("plain")


@pytest.mark.parametrize("view", [requiring, Handler.as_view()])
@pytest.mark.parametrize("middleware", [[], [OURS]])
def test_the_answer_says_so(site, caplog, view, middleware):
    client = site.serve(view, MIDDLEWARE=[*MIDDLEWARE, *middleware])
    response = client.get("/", headers=LOST)
    assert response.status_code == 400
    assert response.text.startswith(WHY)
    assert response.text.rstrip() in warnings_of(caplog)[0].getMessage()


@pytest.mark.parametrize("view", [accepting, async_accepting, Page.as_view()])
@pytest.mark.parametrize("middleware", [[], [OURS]])
def test_a_view_that_answers_plain_http_is_in_the_log(site, caplog, view, middleware):
    client = site.serve(view, MIDDLEWARE=[*MIDDLEWARE, *middleware])
    for _ in range(3):
        assert client.get("/?a=b", headers=LOST).content == b"plain"
    [record] = warnings_of(caplog)
    assert record.name == "dwebsocket.handshake"
    assert record.getMessage().startswith(f"WebSocket answered as plain HTTP: GET /: {WHY}")


def test_a_view_that_the_middleware_alone_serves(site, caplog):
    settings = {"MIDDLEWARE": [*MIDDLEWARE, OURS], "WEBSOCKET_ACCEPT_ALL": True}
    assert site.serve(unmarked, **settings).get("/", headers=LOST).content == b"plain"
    assert len(warnings_of(caplog)) == 1


def test_it_is_told_of_each_view_once_whatever_the_address(rf, caplog):
    for view in (accepting, other):
        for number in range(50):
            view(rf.get(f"/{number}/", headers=LOST))
    assert [record.args[1] for record in warnings_of(caplog)] == ["/0/", "/0/"]


def test_it_is_one_line(rf, caplog):
    accepting(rf.generic("GE\x1b[31m", "/a%0ab/", headers=LOST))
    [record] = warnings_of(caplog)
    assert record.getMessage().isprintable()


@pytest.mark.parametrize(
    "headers", [{}, {"Upgrade": "h2c"}, {"Origin": "http://testserver", "Connection": "Upgrade"}]
)
def test_other_plain_http_is_told_what_it_was(site, caplog, headers):
    response = site.serve(requiring).get("/", headers=headers)
    assert response.text.startswith("This address accepts WebSockets only")
    assert len(warnings_of(caplog)) == 1
    assert site.serve(accepting).get("/", headers=headers).content == b"plain"
    assert len(warnings_of(caplog)) == 1


@pytest.fixture(name="rf")
def make_request_factory():
    return RequestFactory()


def test_a_broken_handshake_is_no_lost_one(site, caplog):
    """As a client sends it: the test client's own requests go through no server."""
    site.serve(accepting)
    response = Client().get("/", headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    assert response.status_code == 400
    assert WHY not in response.text
