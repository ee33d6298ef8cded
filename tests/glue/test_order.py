"""The order of a request: outer decorators, the handshake's check, 101, the view."""

import pytest
from django.contrib.auth.decorators import login_required, user_passes_test
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS


@require_websocket
def greet(request, name="you"):
    request.websocket.send(f"hello {name}")


def refusal_of(client, address="/"):
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket(address)
    return caught.value


def test_login_required_redirects_with_real_http(site):
    client = site.serve(login_required(greet, login_url="/login/"))
    refusal = refusal_of(client)
    assert refusal.status_code == 302
    assert refusal.headers["location"] == "/login/?next=/"


def test_login_required_lets_a_user_in(site, user):
    client = site.serve(login_required(greet))
    client.force_login(user)
    with client.websocket("/") as websocket:
        assert websocket.receive() == "hello you"


def test_permission_denied_outside_is_403(site):
    def deny(user):
        raise PermissionDenied

    assert refusal_of(site.serve(user_passes_test(deny)(greet))).status_code == 403


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS], [OURS, *MIDDLEWARE]])
def test_unknown_address_is_404(site, middleware):
    assert refusal_of(site.serve(greet, MIDDLEWARE=middleware), "/none/").status_code == 404


def test_middleware_that_answers_itself_refuses(site):
    client = site.serve(greet, SECURE_SSL_REDIRECT=True)
    refusal = refusal_of(client)
    assert refusal.status_code == 301
    assert refusal.headers["location"] == "https://testserver/"


def test_disallowed_host_is_400(site):
    assert refusal_of(site.serve(greet, ALLOWED_HOSTS=["other.test"])).status_code == 400


@pytest.mark.parametrize(
    "view",
    [
        csrf_exempt(greet),
        require_http_methods(["GET"])(greet),
        csrf_exempt(require_http_methods(["GET", "POST"])(greet)),
        require_websocket(csrf_exempt(greet)),
    ],
)
def test_stacking(site, view):
    with site.serve(view).websocket("/") as websocket:
        assert websocket.receive() == "hello you"


def test_arguments_of_the_address_reach_the_view(site):
    client = site.serve(greet, path("<slug:name>/", greet))
    with client.websocket("/ada/") as websocket:
        assert websocket.receive() == "hello ada"


def test_the_view_has_the_whole_request(site, user, reports):
    @require_websocket
    def view(request):
        reports((request.user.get_username(), request.GET["room"], request.session["colour"]))
        reports((request.COOKIES["flavour"], request.META["HTTP_X_TOKEN"], request.method))

    client = site.serve(view)
    client.force_login(user)
    session = client.session
    session["colour"] = "blue"
    session.save()
    client.cookies["flavour"] = "oat"
    with client.websocket("/?room=1", headers={"X-Token": "abc"}):
        assert reports.next() == ("ada", "1", "blue")
        assert reports.next() == ("oat", "abc", "GET")


def test_nothing_is_sent_before_the_checks_are_through(site):
    site.serve(login_required(greet, login_url="/login/"))
    client = site.connect()
    client.send_request("/")
    assert client.read_response().status == 302
    assert client.read_to_eof() == b""
    assert client.received.startswith(b"HTTP/1.1 302 ")


@pytest.mark.parametrize("error", [Http404, PermissionDenied])
def test_djangos_exceptions_inside_the_view_come_too_late_for_http(site, error):
    @accept_websocket
    def view(request):
        raise error("no")

    site.serve(view)
    client = site.open()
    assert client.read_close().close_code == 1011
    client.send_close(1011)
    assert client.read_to_eof() == b""


def test_the_same_view_answers_plain_http(site):
    @accept_websocket
    def view(request):
        if request.is_websocket():
            request.websocket.send("a WebSocket")
            return None
        return HttpResponse(f"plain, {request.websocket}")

    client = site.serve(view)
    assert client.get("/").content == b"plain, None"
    with client.websocket("/") as websocket:
        assert websocket.receive() == "a WebSocket"
