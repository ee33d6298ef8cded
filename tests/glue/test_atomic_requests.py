"""ATOMIC_REQUESTS: plain HTTP runs in a transaction, a WebSocket does not."""

import pytest
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from dwebsocket import accept_websocket, require_websocket

from .site import MIDDLEWARE, OURS


@pytest.fixture(autouse=True)
def _atomic_requests():
    # Every thread makes its connection from these settings, so they are what counts.
    settings = connections.settings["default"]
    settings["ATOMIC_REQUESTS"] = True
    connections.close_all()
    yield
    settings["ATOMIC_REQUESTS"] = False
    connections.close_all()


def tell(request):
    inside = connection.in_atomic_block
    if request.is_websocket():
        return request.websocket.send_json(inside)
    return HttpResponse(str(inside))


class Tell(View):
    def get(self, request):
        return tell(request)


@method_decorator(accept_websocket, name="dispatch")
class DecoratedTell(Tell):
    pass


VIEWS = [
    accept_websocket(tell),
    accept_websocket(accept_websocket(tell)),
    accept_websocket(Tell.as_view()),
    DecoratedTell.as_view(),
]


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS]])
@pytest.mark.parametrize("view", VIEWS)
def test_http_is_atomic_and_a_websocket_is_not(site, view, middleware):
    client = site.serve(view, MIDDLEWARE=middleware)
    assert client.get("/").content == b"True"
    with client.websocket("/") as websocket:
        assert websocket.receive_json() is False


def test_without_the_setting_nothing_is_atomic(site):
    connections.settings["default"]["ATOMIC_REQUESTS"] = False
    connections.close_all()
    client = site.serve(VIEWS[0])
    assert client.get("/").content == b"False"
    with client.websocket("/") as websocket:
        assert websocket.receive_json() is False


def test_a_view_accepted_by_the_middleware_is_not_atomic(site):
    client = site.serve(tell, MIDDLEWARE=[*MIDDLEWARE, OURS], WEBSOCKET_ACCEPT_ALL=True)
    assert client.get("/").content == b"True"
    with client.websocket("/") as websocket:
        assert websocket.receive_json() is False


@pytest.mark.parametrize(
    "stack",
    [
        lambda view: accept_websocket(transaction.non_atomic_requests(view)),
        lambda view: accept_websocket(transaction.non_atomic_requests(using="default")(view)),
        lambda view: transaction.non_atomic_requests(accept_websocket(view)),
    ],
)
def test_non_atomic_requests_stays_so(site, stack):
    def view(request):  # a new one each time: non_atomic_requests changes the function
        return tell(request)

    assert site.serve(stack(view)).get("/").content == b"False"


def test_an_error_rolls_plain_http_back(site, user):
    @accept_websocket
    def view(request):
        user.first_name = "Augusta"
        user.save()
        raise LookupError

    client = site.serve(view)
    client.raise_request_exception = False
    assert client.get("/").status_code == 500
    user.refresh_from_db()
    assert user.first_name == ""


def test_atomic_inside_a_websocket_works(site):
    @require_websocket
    def view(request):
        with transaction.atomic():
            request.websocket.send_json(connection.in_atomic_block)
        request.websocket.send_json(connection.in_atomic_block)

    with site.serve(view).websocket("/") as websocket:
        assert websocket.receive_json() is True
        assert websocket.receive_json() is False
