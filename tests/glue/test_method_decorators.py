"""Class-based views: method_decorator on the class, on dispatch, on get."""

import pytest
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.generic import TemplateView

from dwebsocket import accept_websocket, require_websocket

from .site import MIDDLEWARE, OURS

MIDDLEWARES = [MIDDLEWARE, [*MIDDLEWARE, OURS], [OURS, *MIDDLEWARE]]


class Echo(View):
    def get(self, request, room="none"):
        if not request.is_websocket():
            return HttpResponse("plain")
        for message in request.websocket:
            request.websocket.send(f"{room}: {message}")
        return None

    def post(self, request):
        return HttpResponse("posted")


def classes(decorator):
    @method_decorator(decorator, name="dispatch")
    class OnClass(Echo):
        pass

    class OnDispatch(Echo):
        @method_decorator(decorator)
        def dispatch(self, request, *args, **kwargs):
            return super().dispatch(request, *args, **kwargs)

    class OnGet(Echo):
        @method_decorator(decorator)
        def get(self, request, **kwargs):
            return super().get(request, **kwargs)

    class Inherited(OnGet):
        pass

    return [OnClass, OnDispatch, OnGet, Inherited]


def name_of(view_class):
    return view_class.__name__


@pytest.mark.parametrize("middleware", MIDDLEWARES, ids=["without", "last", "first"])
@pytest.mark.parametrize("view_class", classes(require_websocket), ids=name_of)
def test_websocket(site, view_class, middleware):
    site.serve(view_class.as_view(), MIDDLEWARE=middleware)
    client = site.open()
    client.send_text("hello")
    assert client.read_text() == "none: hello"
    client.send_close()
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""
    assert client.received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("middleware", MIDDLEWARES, ids=["without", "last", "first"])
@pytest.mark.parametrize("view_class", classes(require_websocket), ids=name_of)
def test_required(site, view_class, middleware):
    response = site.serve(view_class.as_view(), MIDDLEWARE=middleware).get("/")
    assert response.status_code == 400


@pytest.mark.parametrize("middleware", MIDDLEWARES, ids=["without", "last", "first"])
@pytest.mark.parametrize("view_class", classes(accept_websocket), ids=name_of)
def test_plain_http(site, view_class, middleware):
    client = site.serve(view_class.as_view(), MIDDLEWARE=middleware)
    assert client.get("/").content == b"plain"
    assert client.post("/").content == b"posted"


@pytest.mark.parametrize("options", [{}, {"subprotocols": ["chat"]}])
def test_decorator_with_arguments(site, options):
    view = method_decorator(require_websocket(**options), name="dispatch")(type("E", (Echo,), {}))
    with site.serve(view.as_view()).websocket("/", subprotocols=["chat"]) as websocket:
        assert websocket.subprotocol == ((options and "chat") or None)


def test_decorated_as_view(site):
    with site.serve(require_websocket(Echo.as_view())).websocket("/") as websocket:
        websocket.send("hello")
        assert websocket.receive() == "none: hello"


def test_required_get_leaves_other_methods_alone(site):
    class OnlyGet(Echo):
        @method_decorator(require_websocket)
        def get(self, request):
            return super().get(request)

    client = site.serve(OnlyGet.as_view())
    assert client.post("/").content == b"posted"
    assert client.get("/").status_code == 400


def test_a_page_and_its_websocket_at_one_address(site):
    @method_decorator(accept_websocket, name="dispatch")
    class Page(TemplateView):
        def get(self, request, *args, **kwargs):
            if request.is_websocket():
                return request.websocket.send("live")
            return HttpResponse("<p>page</p>")

    client = site.serve(Page.as_view())
    assert client.get("/").content == b"<p>page</p>"
    with client.websocket("/") as websocket:
        assert websocket.receive() == "live"
