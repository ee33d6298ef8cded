"""auto_accept=False: the view sends the 101 itself, or refuses."""

import pytest
from django.http import HttpResponse

from dwebsocket import require_websocket
from dwebsocket.backends.sockets import sweeper
from dwebsocket.exceptions import InvalidState

from .site import wait_until


def test_view_accepts_with_subprotocol_and_headers(site):
    @require_websocket(auto_accept=False)
    def view(request):
        websocket = request.websocket
        assert not websocket.accepted
        websocket.accept("chat", {"Set-Cookie": "a=b", "X-Served-By": "us"})
        assert websocket.accepted
        websocket.send(websocket.subprotocol)

    site.serve(view)
    client = site.connect()
    client.send_request("/", headers={"Sec-WebSocket-Protocol": "other, chat"})
    response = client.read_response()
    assert response.status == 101
    assert response.headers["sec-websocket-protocol"] == "chat"
    assert response.headers["set-cookie"] == "a=b"
    assert response.headers["x-served-by"] == "us"
    assert client.read_text() == "chat"
    assert client.read_close().close_code == 1000


def test_view_refuses_with_an_ordinary_response(site):
    @require_websocket(auto_accept=False)
    def view(request):
        return HttpResponse("members only", status=402)

    site.serve(view)
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    assert (response.status, response.body) == (402, b"members only")
    assert client.read_to_eof() == b""


@pytest.mark.parametrize("how", ["raise", "nothing"])
def test_a_view_that_neither_accepts_nor_refuses_is_a_server_error(site, caplog, how):
    @require_websocket(auto_accept=False)
    def view(request):
        if how == "raise":
            raise LookupError

    site.serve(view)
    client = site.connect()
    client.send_request("/")
    assert client.read_response().status == 500
    client.join()
    assert [record.name for record in caplog.records] == ["django.request"]


CALLS = [
    lambda websocket: websocket.wait(),
    lambda websocket: websocket.wait(0),
    lambda websocket: websocket.wait_json(),
    lambda websocket: next(iter(websocket)),
    lambda websocket: websocket.read(),
    lambda websocket: websocket.send("x"),
    lambda websocket: websocket.send_json({}),
    lambda websocket: websocket.ping(),
    lambda websocket: websocket.close(),
]


def test_nothing_works_before_accept_and_the_error_says_so(site, reports):
    @require_websocket(auto_accept=False)
    def view(request):
        for call in CALLS:
            try:
                call(request.websocket)
            except Exception as error:
                reports(error)
        return HttpResponse("refused")

    site.serve(view)
    client = site.connect()
    client.send_request("/")
    assert client.read_response().body == b"refused"
    errors = [reports.next() for _ in CALLS]
    assert {type(error) for error in errors} == {InvalidState}
    assert {"accept()" in str(error) for error in errors} == {True}


def test_questions_are_answered_before_accept(site, reports):
    @require_websocket(auto_accept=False)
    def view(request):
        websocket = request.websocket
        reports((websocket.closed, websocket.is_closed(), websocket.connected))
        reports((websocket.has_messages(), websocket.count_messages(), websocket.fileno()))
        reports((websocket.close_code, websocket.close_reason, websocket.subprotocol))
        return HttpResponse("refused")

    site.serve(view)
    site.connect().send_request("/")
    assert reports.next() == (False, False, False)
    assert reports.next() == (False, 0, -1)
    assert reports.next() == (None, None, None)


def test_accept_twice_is_the_views_mistake(site, reports):
    @require_websocket
    def view(request):
        with pytest.raises(InvalidState) as caught:
            request.websocket.accept()
        reports(str(caught.value))

    site.serve(view)
    client = site.open()
    message = reports.next()
    assert "accepted already" in message
    assert "auto_accept=False" in message
    assert client.read_close().close_code == 1000


@pytest.mark.parametrize(
    ("subprotocol", "headers"),
    [
        (None, {"Upgrade": "other"}),
        (None, {"Sec-WebSocket-Accept": "x"}),
        (None, {"Sec-WebSocket-Protocol": "x"}),
        (None, {"X-Evil": "a\r\nb: c"}),
        (None, {"X Evil": "a"}),
        (None, {"": "a"}),
        (None, {"X-Far": "\u20ac"}),
        ("a\r\nb", {}),
        ("a b", {}),
        ("a,b", {}),
        ("", {}),
    ],
)
def test_what_may_not_be_in_the_101(site, reports, subprotocol, headers):
    @require_websocket(auto_accept=False)
    def view(request):
        with pytest.raises(ValueError, match=r".") as caught:
            request.websocket.accept(subprotocol, headers)
        reports(caught.value)
        return HttpResponse("refused after all", status=403)

    site.serve(view)
    client = site.connect()
    client.send_request("/")
    assert client.read_response().status == 403
    assert isinstance(reports.next(), ValueError)


def test_too_many_connections_at_accept_are_503(site, caplog):
    @require_websocket(auto_accept=False)
    def view(request):
        request.websocket.accept()
        request.websocket.wait()

    wait_until(lambda: sweeper.count() == 0)  # what another test has left
    site.serve(view, WEBSOCKET_MAX_CONNECTIONS=1)
    site.open()
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    client.join()
    assert response.status == 503
    assert "WEBSOCKET_MAX_CONNECTIONS" in response.body.decode()
    assert [record.name for record in caplog.records] == ["dwebsocket.handshake"]


def test_the_peer_leaves_during_the_handshake(site, reports):
    @require_websocket(auto_accept=False)
    def view(request):
        reports("in the view")
        left.hang_up()
        request.websocket.accept()
        reports((request.websocket.wait(), request.websocket.close_code))

    site.serve(view)
    left = site.connect()
    left.send_request("/")
    assert reports.next() == "in the view"
    assert reports.next() == (None, 1006)
    left.join()
