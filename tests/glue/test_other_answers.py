"""Handshakes that somebody else answers: one line says who, as far as that can be told."""

from functools import wraps

import pytest
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_POST

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS


@require_websocket
def view(request):
    request.websocket.wait()


@accept_websocket
def page(request):
    return HttpResponse("page")


def forgotten(request):
    return HttpResponse("a page")


def denied(request):
    raise PermissionDenied


def failing(request):
    raise ZeroDivisionError


@wraps(view)
def broken(request):
    """Another decorator's, in front of that of the view."""
    raise ZeroDivisionError


class Guarded(LoginRequiredMixin, WebSocketHandler):
    pass


def answering(get_response):
    return lambda request: HttpResponse(status=429)


@require_websocket(auto_accept=False)
def refusing(request):
    return HttpResponse("the room is full", status=403)


PATHS = [
    path("echo/", view),
    path("forgotten/", forgotten),
    path("denied/", denied),
    path("failing/", failing),
    path("broken/", broken),
    path("login/", login_required(view)),
    path("guarded/", Guarded.as_view()),
    path("posted/", require_POST(view)),
    path("elsewhere/", lambda request: HttpResponseRedirect("/echo/\x1b")),
    path("refusing/", refusing),
    path("page/", page),
]

ANSWERS = {
    "/echo": (301, "the path needs a trailing slash (APPEND_SLASH)"),
    "/nowhere/": (404, "no URL pattern matches this path"),
    "/forgotten/": (200, "decorate it with @require_websocket"),
    "/denied/": (403, "has refused this client"),
    "/failing/": (500, "test_other_answers.failing gets no request.websocket: decorate it with"),
    "/broken/": (500, "unless LOGGING says otherwise). A browser"),
    "/login/": (302, "redirects to /accounts/login/?next=/login/, which"),
    "/guarded/": (302, "the client is not logged in"),
    "/posted/": (405, "takes no GET requests"),
    "/elsewhere/": (302, "open that address itself"),
}


@pytest.fixture(name="serve_paths")
def make_serve(serve_either):
    def serve(**changed):
        return serve_either(view, *PATHS, **changed)

    return serve


def refusal_of(client, address):
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket(address)
    return caught.value


def lines(caplog):
    return [record for record in caplog.records if record.name == "dwebsocket.handshake"]


@pytest.mark.parametrize("address", ANSWERS)
def test_who_has_answered(serve_paths, caplog, address):
    status, words = ANSWERS[address]
    assert refusal_of(serve_paths(), address).status_code == status
    [record] = lines(caplog)
    line = record.getMessage()
    assert record.levelname == "WARNING"
    assert record.status_code == status
    assert line.startswith(f"WebSocket handshake answered with {status}: GET {address}: ")
    assert words in line
    assert line.endswith("'WebSocket connection to … failed', with code 1006.")
    assert line.isprintable()


def test_a_slash_that_nobody_appends(serve_paths, caplog):
    client = serve_paths(APPEND_SLASH=False)
    assert refusal_of(client, "/echo").status_code == 404
    [record] = lines(caplog)
    assert "without a trailing slash: open it with one" in record.getMessage()


def test_tls_that_the_site_wants(serve_paths, caplog):
    client = serve_paths(SECURE_SSL_REDIRECT=True)
    assert refusal_of(client, "/echo/").status_code == 301
    [record] = lines(caplog)
    assert "open the address with wss:// (SECURE_SSL_REDIRECT)" in record.getMessage()


def test_a_host_that_is_none_of_the_site(serve_paths, caplog):
    client = serve_paths()
    with pytest.raises(WebSocketRefused):
        client.websocket("/echo/", headers={"Host": "other.example"})
    [record] = lines(caplog)
    assert "missing in ALLOWED_HOSTS. A browser" in record.getMessage()


@pytest.mark.parametrize("where", ["above", "below"])
def test_middleware_that_answers(serve_paths, caplog, where):
    own = f"{__name__}.answering"
    chain = [own, *MIDDLEWARE, OURS] if where == "above" else [OURS, *MIDDLEWARE, own]
    assert refusal_of(serve_paths(MIDDLEWARE=chain), "/echo/").status_code == 429
    [record] = lines(caplog)
    assert "middleware has answered, before any view" in record.getMessage()


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS], [OURS, *MIDDLEWARE]])
def test_what_is_in_the_log_already_is_said_once(serve_paths, caplog, middleware):
    client = serve_paths(MIDDLEWARE=middleware)
    with pytest.raises(WebSocketRefused):
        client.websocket("/echo/", origin="http://evil.test")
    [record] = lines(caplog)
    assert record.getMessage().startswith("WebSocket refused with 403: ")


def test_a_refusal_of_the_view_itself_is_its_own_affair(serve_paths, caplog):
    assert refusal_of(serve_paths(), "/refusing/").status_code == 403
    assert lines(caplog) == []


def test_plain_http_and_websockets_are_no_such_answers(serve_paths, caplog):
    client = serve_paths()
    client.get("/page/")
    client.get("/echo")
    with client.websocket("/echo/"):
        pass
    assert lines(caplog) == []
