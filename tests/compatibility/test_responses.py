"""What old views return, how they are decorated, and how they close."""

import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dwebsocket.decorators import accept_websocket, require_websocket

from ..glue.site import MIDDLEWARE, OURS

either = pytest.mark.parametrize("legacy", [False, True])


@either
@pytest.mark.parametrize(
    "response", [None, HttpResponse("bye"), JsonResponse({"code": 0}), HttpResponse(status=500)]
)
def test_any_response_after_the_loop(site, caplog, response, legacy):
    @accept_websocket
    def view(request):
        request.websocket.send(request.websocket.wait())
        return response

    site.serve(view, WEBSOCKET_LEGACY=legacy)
    client = site.open()
    client.send_text("a")
    assert client.read_frame().payload == b"a"
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""
    client.join()
    # A response that nobody gets is told, once a view.
    assert len(caplog.records) <= (response is not None)
    assert all("has sent its 101, and" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS], [OURS, *MIDDLEWARE]])
def test_is_websocket_without_a_call(site, middleware):
    @accept_websocket
    def view(request):
        if request.is_websocket and request.websocket:
            return request.websocket.send("WebSocket")
        return HttpResponse("plain")

    client = site.serve(view, MIDDLEWARE=middleware)
    assert client.get("/").content == b"plain"
    with client.websocket("/") as websocket:
        assert websocket.receive() == "WebSocket"


def echo_once(request, *args):
    request.websocket.send(request.websocket.wait())


class Methods(View):
    @method_decorator(accept_websocket)
    def get(self, request):
        return echo_once(request)


@method_decorator([csrf_exempt, accept_websocket], name="dispatch")
class Dispatch(View):
    def get(self, request):
        return echo_once(request)


STACKS = {
    "csrf_exempt outside": csrf_exempt(accept_websocket(echo_once)),
    "csrf_exempt inside": accept_websocket(csrf_exempt(echo_once)),
    "methods outside": require_http_methods(["GET"])(accept_websocket(echo_once)),
    "methods inside": accept_websocket(require_http_methods(["GET", "POST"])(echo_once)),
    "login outside": login_required(require_websocket(echo_once)),
    "login inside": require_websocket(login_required(echo_once)),
    "all": csrf_exempt(login_required(require_http_methods(["GET"])(accept_websocket(echo_once)))),
    "get": Methods.as_view(),
    "dispatch": Dispatch.as_view(),
}


@pytest.mark.parametrize("view", STACKS.values(), ids=STACKS)
def test_stacking(site, user, view):
    client = site.serve(view)
    client.force_login(user)
    with client.websocket("/") as websocket:
        websocket.send("a")
        assert websocket.receive() == "a"


def test_login_required_inside_refuses_too_late_for_http(site):
    """It answers with a redirect when the 101 has left: the connection just ends."""
    site.serve(require_websocket(login_required(echo_once)))
    client = site.open()
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""


@either
@pytest.mark.parametrize("name", ["close", "disconnect"])
def test_the_view_closes(site, legacy, name):
    @require_websocket
    def view(request):
        getattr(request.websocket, name)()
        if not legacy:
            return
        request.websocket.send("silent")
        assert request.websocket.closed

    site.serve(view, WEBSOCKET_LEGACY=legacy)
    client = site.open()
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""


def test_wait_minus_one_waits(site):
    @require_websocket
    def view(request):
        request.websocket.send("waiting")
        request.websocket.send(request.websocket.wait(timeout=-1))

    with site.serve(view).websocket("/") as websocket:
        websocket.receive()
        websocket.send("at last")
        assert websocket.receive() == "at last"


def test_old_middleware_classes_setting_does_no_harm(site):
    client = site.serve(accept_websocket(echo_once), MIDDLEWARE_CLASSES=[OURS])
    with client.websocket("/") as websocket:
        websocket.send("a")
        assert websocket.receive() == "a"
