"""WebSocketMiddleware: marks by hand, WEBSOCKET_ACCEPT_ALL, its place among the others."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.decorators import method_decorator
from django.views import View

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.middleware import WebSocketMiddleware, find_skipped_middleware
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS

LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


def tell(request):
    if request.websocket is None:
        return HttpResponse("plain")
    return request.websocket.send("WebSocket")


def accepting(request):
    return tell(request)


accepting.accept_websocket = True


def requiring(request):
    return tell(request)


requiring.require_websocket = True


class MarkedGet(View):
    def get(self, request):
        return tell(request)

    get.accept_websocket = True


ORDERS = {
    "last": [*MIDDLEWARE, OURS],
    "first": [OURS, *MIDDLEWARE],
    "alone": [OURS],
    "twice": [OURS, *MIDDLEWARE, OURS],
}
orders = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)


def read_websocket(client):
    with client.websocket("/") as websocket:
        return websocket.receive()


def refusal_of(client):
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/")
    return caught.value


@orders
@pytest.mark.parametrize("view", [accepting, requiring, MarkedGet.as_view()])
def test_marks_by_hand(site, view, order):
    assert read_websocket(site.serve(view, MIDDLEWARE=order)) == "WebSocket"


@orders
def test_accept_all(site, order):
    client = site.serve(tell, MIDDLEWARE=order, WEBSOCKET_ACCEPT_ALL=True)
    assert read_websocket(client) == "WebSocket"
    assert client.get("/").content == b"plain"


@orders
def test_unmarked_view_is_400(site, order):
    refusal = refusal_of(site.serve(tell, MIDDLEWARE=order))
    assert refusal.status_code == 400
    assert b"does not accept WebSockets" in refusal.content


@orders
def test_plain_http(site, order):
    assert site.serve(accepting, MIDDLEWARE=order).get("/").content == b"plain"
    assert site.serve(tell, MIDDLEWARE=order).get("/").content == b"plain"
    response = site.serve(requiring, MIDDLEWARE=order).get("/")
    assert response.status_code == 400
    assert b"WebSockets only" in response.content


VIEWS = {
    "marked": accepting,
    "accept": accept_websocket(tell),
    "require": require_websocket(tell),
    "require, options": require_websocket(subprotocols=["chat"])(tell),
    "both": accept_websocket(require_websocket(tell)),
    "class": method_decorator(accept_websocket, name="dispatch")(
        type("C", (MarkedGet,), {})
    ).as_view(),
    "unmarked": tell,
}


#: Every combination that somebody accepts.
COMBINATIONS = [
    pytest.param(view, order, accept_all, id=f"{name}-{place}-{accept_all}")
    for name, view in VIEWS.items()
    for place, order in {"none": MIDDLEWARE, **ORDERS}.items()
    for accept_all in (False, True)
    if name not in ("marked", "unmarked") or (OURS in order and (accept_all or name == "marked"))
]


@pytest.mark.parametrize(("view", "order", "accept_all"), COMBINATIONS)
def test_exactly_one_101(site, view, order, accept_all):
    site.serve(view, MIDDLEWARE=order, WEBSOCKET_ACCEPT_ALL=accept_all)
    client = site.open()
    assert client.read_text() == "WebSocket"
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""
    assert client.received.count(b"HTTP/1.1") == 1


def test_the_decorator_keeps_its_terms_below_the_middleware(site, reports):
    @accept_websocket(subprotocols=["chat"], auto_accept=False)
    def view(request):
        reports(request.websocket.accepted)
        return HttpResponse("no", status=403)

    client = site.serve(view, MIDDLEWARE=[OURS], WEBSOCKET_ACCEPT_ALL=True)
    assert refusal_of(client).status_code == 403
    assert reports.all() == [False]


def test_bad_handshake_for_a_marked_view(site):
    site.serve(accepting, MIDDLEWARE=[OURS])
    client = site.connect()
    client.send_request("/", headers={"Sec-WebSocket-Key": None})
    assert client.read_response().status == 400


def test_every_request_gets_the_attributes(site, reports):
    def view(request):
        reports((request.is_websocket(), bool(request.is_websocket), request.websocket))
        return HttpResponse()

    site.serve(view, MIDDLEWARE=[OURS]).get("/")
    assert reports.all() == [(False, True, None)]


seen = []


def watching_middleware(get_response):
    def middleware(request):
        seen.append((request.is_websocket(), request.websocket))
        return get_response(request)

    return middleware


def test_middleware_behind_ours_sees_the_attributes(site):
    seen.clear()
    client = site.serve(accepting, MIDDLEWARE=[OURS, f"{__name__}.watching_middleware"])
    client.get("/")
    assert read_websocket(client) == "WebSocket"
    assert seen == [(False, None), (True, None)]


# Guards behind our middleware


def test_guard_before_ours_redirects(site):
    client = site.serve(accepting, MIDDLEWARE=[*MIDDLEWARE, LOGIN_REQUIRED, OURS])
    assert refusal_of(client).status_code == 302


def test_guard_behind_ours_is_an_error_and_not_passed_by(site, caplog):
    middleware = [*MIDDLEWARE, OURS, LOGIN_REQUIRED]
    client = site.serve(accepting, raise_request_exception=False, MIDDLEWARE=middleware)
    assert refusal_of(client).status_code == 500
    record = caplog.records[0]
    assert record.exc_info[0] is ImproperlyConfigured
    message = str(record.exc_info[1])
    assert LOGIN_REQUIRED in message
    assert "end of MIDDLEWARE" in message


class OwnMiddleware(WebSocketMiddleware):
    """What projects derive from ours."""


def test_guard_behind_a_subclass_of_ours_is_an_error_too(site, caplog):
    own = f"{__name__}.OwnMiddleware"
    middleware = [*MIDDLEWARE, own, LOGIN_REQUIRED]
    client = site.serve(accepting, raise_request_exception=False, MIDDLEWARE=middleware)
    assert refusal_of(client).status_code == 500
    assert caplog.records[0].exc_info[0] is ImproperlyConfigured
    client = site.serve(accepting, MIDDLEWARE=[*MIDDLEWARE, own])
    assert read_websocket(client) == "WebSocket"


def test_guard_behind_ours_works_for_decorated_views(site, user):
    view = accept_websocket(tell)
    client = site.serve(view, MIDDLEWARE=[*MIDDLEWARE, OURS, LOGIN_REQUIRED])
    assert refusal_of(client).status_code == 302
    client.force_login(user)
    assert read_websocket(client) == "WebSocket"


def test_guard_behind_ours_is_no_matter_for_plain_http(site, user):
    client = site.serve(accepting, MIDDLEWARE=[*MIDDLEWARE, OURS, LOGIN_REQUIRED])
    assert client.get("/").status_code == 302
    client.force_login(user)
    assert client.get("/").content == b"plain"


def test_csrf_middleware_may_be_anywhere(site):
    site.change(MIDDLEWARE=[OURS, "django.middleware.csrf.CsrfViewMiddleware"])
    assert find_skipped_middleware() == []


def test_get_response_is_kept():
    response = HttpResponse("inner")
    request = RequestFactory().get("/")
    assert WebSocketMiddleware(lambda request: response)(request) is response
    assert request.is_websocket() is False
