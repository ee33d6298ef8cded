"""A page of an address that accepts WebSockets, and what caches know of the difference."""

import pytest
from django.core.cache import caches
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.cache import get_cache_key, learn_cache_key
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django.views.decorators.http import conditional_page

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH = "django.middleware.cache.FetchFromCacheMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"

#: Where the middleware of Django's cache may stand.
ORDERS = {
    "around all": [UPDATE, *MIDDLEWARE, FETCH],
    "around ours": [UPDATE, *MIDDLEWARE, OURS, FETCH],
    "within ours": [OURS, UPDATE, *MIDDLEWARE, FETCH],
    "before ours": [UPDATE, *MIDDLEWARE, FETCH, OURS],
}


@pytest.fixture(autouse=True)
def clean_cache():
    caches["default"].clear()
    yield
    caches["default"].clear()


def tell(request):
    tell.pages += 1
    if request.websocket is None:
        return HttpResponse(f"page {tell.pages}")
    request.websocket.send("WebSocket")
    # As many views do. It goes nowhere, and is no page either.
    return HttpResponse("an answer that nobody gets")


tell.pages = 0


def marked(request):
    return tell(request)


marked.accept_websocket = True


class Handler(WebSocketHandler):
    def get(self, request):
        return tell(request)

    def on_open(self):
        self.websocket.send("WebSocket")


@method_decorator(cache_page(60), name="get")
class CachedGet(Handler):
    pass


@method_decorator(cache_page(60), name="dispatch")
class CachedDispatch(Handler):
    pass


@method_decorator(conditional_page, name="dispatch")
class Conditional(Handler):
    pass


BY_MIDDLEWARE = {
    "decorated": accept_websocket(tell),
    "marked": marked,
    "handler": Handler.as_view(),
}
CACHED = {
    "above": cache_page(60)(accept_websocket(tell)),
    "below": accept_websocket(cache_page(60)(tell)),
    "further below": accept_websocket(accept_websocket(cache_page(60)(tell))),
    "marked": cache_page(60)(marked),
    "above handler": cache_page(60)(Handler.as_view()),
    "get": CachedGet.as_view(),
    "dispatch": CachedDispatch.as_view(),
}


def read_page(client):
    response = client.get("/")
    assert "Upgrade" in response.headers["Vary"].split(", ")
    return response.content


def read_page_within_ours(client):
    """Our middleware has its place behind a cache, or it does not know whose page comes of it."""
    return client.get("/").content


def read_websocket(client):
    with client.websocket("/") as websocket:
        return websocket.receive()


def check_apart(client, read_page=read_page):
    """Pages and WebSockets in turns: the page is the cache's from the second time on."""
    first = read_page(client)
    assert read_websocket(client) == "WebSocket"
    assert read_page(client) == first
    assert read_websocket(client) == "WebSocket"
    assert read_page(client) == first
    caches["default"].clear()
    assert read_websocket(client) == "WebSocket"
    second = read_page(client)
    assert second != first
    assert read_page(client) == second
    assert read_websocket(client) == "WebSocket"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", BY_MIDDLEWARE)
def test_middleware_of_the_cache(site, order, name):
    if name == "marked" and OURS not in ORDERS[order]:
        pytest.skip("nobody accepts it")
    read = read_page_within_ours if (name, order) == ("marked", "within ours") else read_page
    check_apart(site.serve(BY_MIDDLEWARE[name], MIDDLEWARE=ORDERS[order]), read)


@pytest.mark.parametrize("name", CACHED)
def test_decorator_of_the_cache(site, name):
    check_apart(site.serve(CACHED[name], MIDDLEWARE=[*MIDDLEWARE, OURS]))


def test_accept_all(site):
    order = [UPDATE, *MIDDLEWARE, FETCH, OURS]
    check_apart(site.serve(tell, MIDDLEWARE=order, WEBSOCKET_ACCEPT_ALL=True))


@pytest.mark.parametrize("name", BY_MIDDLEWARE)
def test_asgi(serve, name):
    check_apart(serve(BY_MIDDLEWARE[name], MIDDLEWARE=ORDERS["before ours"]))


def test_vary_alone_tells_them_apart():
    """As a cache does that knows nothing of us."""
    page, handshake = (RequestFactory().get("/") for _ in range(2))
    handshake.META["HTTP_UPGRADE"] = "websocket"
    learn_cache_key(page, accept_websocket(tell)(page))
    assert get_cache_key(page) != get_cache_key(handshake)


@pytest.mark.parametrize("order", [MIDDLEWARE, [*MIDDLEWARE, OURS]], ids=["without", "with"])
def test_pages_of_other_views_do_not_vary(site, order):
    client = site.serve(lambda request: HttpResponse("page"), MIDDLEWARE=order)
    assert "Upgrade" not in client.get("/").headers.get("Vary", "")


@pytest.mark.parametrize("path", ["/", "/missing/"])
def test_pages_of_errors_vary_with_the_middleware(site, path):
    from django.http import Http404

    @accept_websocket
    def view(request):
        raise Http404

    response = site.serve(view, MIDDLEWARE=[*MIDDLEWARE, OURS]).get(path)
    assert response.status_code == 404
    assert ("Upgrade" in response.headers.get("Vary", "")) == (path == "/")


@accept_websocket(auto_accept=False)
def refusing(request):
    return HttpResponse(
        "no", status=int(request.GET["status"]), headers={"Cache-Control": "public"}
    )


@pytest.mark.parametrize("status", [200, 404, 410, 501])
@pytest.mark.parametrize("order", ORDERS)
def test_refusal_of_a_view_is_not_stored(site, order, status):
    client = site.serve(refusing, MIDDLEWARE=ORDERS[order])
    address = f"/?status={status}"
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket(address)
    assert caught.value.status_code == status
    assert "no-store" in caught.value.headers["cache-control"]
    assert "no-store" not in client.get(address).headers["Cache-Control"]


@pytest.mark.parametrize("order", [[], [OURS], [CONDITIONAL]], ids=["none", "ours", "conditional"])
def test_our_refusals_are_not_stored(site, order):
    client = site.serve(require_websocket(tell), MIDDLEWARE=order)
    assert client.get("/").status_code == 400
    assert client.get("/").headers["Cache-Control"] == "no-store"
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/", origin="https://evil.test")
    assert caught.value.status_code == 403
    assert caught.value.headers["cache-control"] == "no-store"


def test_what_django_answers_a_handshake_is_not_stored_under_asgi(serve):
    """There all of it passes our hands."""
    client = serve(require_websocket(tell))
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/missing/")
    assert caught.value.status_code == 404
    assert caught.value.headers["cache-control"] == "no-store"


CONDITIONALS = {
    "middleware": (accept_websocket(tell), [CONDITIONAL, *MIDDLEWARE]),
    "above": (conditional_page(accept_websocket(tell)), MIDDLEWARE),
    "below": (accept_websocket(conditional_page(tell)), MIDDLEWARE),
    "handler": (Conditional.as_view(), MIDDLEWARE),
}


@pytest.mark.parametrize("name", CONDITIONALS)
def test_a_handshake_is_not_answered_with_304(site, name):
    view, order = CONDITIONALS[name]
    client = site.serve(view, MIDDLEWARE=order)
    etag = client.get("/").headers["ETag"]
    with client.websocket("/", headers={"If-None-Match": etag}) as websocket:
        assert websocket.receive() == "WebSocket"
    assert websocket.close_code == 1000
