"""The classes for annotations, at run time: ``isinstance`` tells what a request carries."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.http import HttpOrWebSocketRequest, WebSocket, WebSocketRequest


class OwnRequest(WebSocketRequest):
    member: str


EVERY = (HttpRequest, HttpOrWebSocketRequest, WebSocketRequest, OwnRequest)


def kinds(request):
    return [cls for cls in EVERY if isinstance(request, cls)]


WITH = [HttpRequest, HttpOrWebSocketRequest, WebSocketRequest]


def test_a_request_that_nobody_has_looked_at():
    assert kinds(RequestFactory().get("/")) == [HttpRequest]


def test_plain_http():
    seen = []

    @accept_websocket
    def view(request):
        seen.append(kinds(request))
        return HttpResponse()

    view(RequestFactory().get("/"))
    assert seen == [[HttpRequest, HttpOrWebSocketRequest]]


@pytest.mark.parametrize("decorator", [accept_websocket, require_websocket])
def test_a_websocket(serve, reports, decorator):
    @decorator
    def view(request):
        reports([kinds(request), isinstance(request.websocket, WebSocket)])

    with serve(view).websocket("/"):
        assert reports.next() == [WITH, True]


def test_before_it_is_accepted(serve, reports):
    @require_websocket(auto_accept=False)
    def view(request):
        reports(kinds(request))
        request.websocket.accept()

    with serve(view).websocket("/"):
        assert reports.next() == WITH


def test_a_handler(serve, reports):
    class Handler(WebSocketHandler):
        def on_open(self):
            reports([kinds(self.request), isinstance(self.websocket, WebSocket)])

    with serve(Handler.as_view()).websocket("/"):
        assert reports.next() == [WITH, True]


def test_something_else():
    for other in [None, 1, object(), HttpRequest]:
        assert kinds(other) == []


def test_what_is_derived_has_no_objects_but_its_own():
    assert kinds(OwnRequest()) == [HttpRequest, OwnRequest]
