"""WebSocketClient, the client that the package ships for its users' tests."""

import json
import threading
import time
import warnings
from contextlib import suppress

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.http import HttpResponse
from django.urls import path

from dwebsocket import (
    ConnectionClosed,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)
from dwebsocket.testing import WebSocketClient, WebSocketRefused

from ..site import MIDDLEWARE, TIMEOUT, wait_until


@accept_websocket(subprotocols=["chat"])
def echo(request):
    if not request.is_websocket():
        return HttpResponse("plain")
    for message in request.websocket:
        request.websocket.send(message)
    return None


def test_messages_both_ways(site):
    with site.serve(echo).websocket("/") as websocket:
        for message in ("text", "\u20ac", b"\xff", "", "x" * 200_000):
            websocket.send(message)
            assert websocket.receive() == message
        websocket.send_json({"a": [1]})
        assert websocket.receive_json() == {"a": [1]}


def test_plain_requests_work_as_ever(site):
    assert site.serve(echo).get("/").content == b"plain"


def test_subprotocol(site):
    client = site.serve(echo)
    with client.websocket("/", subprotocols=["other", "chat"]) as websocket:
        assert websocket.subprotocol == "chat"
    with client.websocket("/") as websocket:
        assert websocket.subprotocol is None


def test_address_headers_and_origin_reach_the_view(site):
    @require_websocket
    def view(request):
        request.websocket.send_json(
            [request.get_full_path(), request.headers["X-Token"], request.headers["Origin"]]
        )

    client = site.serve(view, path("a/b/", view))
    options = {"headers": {"X-Token": "abc"}, "origin": "http://testserver"}
    with client.websocket("/a/b/?c=d", **options) as websocket:
        assert websocket.receive_json() == ["/a/b/?c=d", "abc", "http://testserver"]


def test_cookies_of_the_client_are_sent(site):
    @require_websocket
    def view(request):
        request.websocket.send_json(request.COOKIES)

    client = site.serve(view)
    client.cookies["a"] = "1"
    client.cookies["b"] = "2"
    with client.websocket("/") as websocket:
        assert websocket.receive_json() == {"a": "1", "b": "2"}


def test_a_login_and_a_logout_carry_over(site, user):
    @require_websocket
    def view(request):
        request.websocket.send(request.user.get_username())

    client = site.serve(view)
    client.force_login(user)
    with client.websocket("/") as websocket:
        assert websocket.receive() == "ada"
    client.logout()
    with client.websocket("/") as websocket:
        assert websocket.receive() == ""


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 500, 503])
def test_refused(site, status):
    @accept_websocket(auto_accept=False)
    def view(request):
        return HttpResponse(
            b"" if status == 204 else b"because", status=status, headers={"Location": "/there/"}
        )

    with pytest.raises(WebSocketRefused) as caught:
        site.serve(view).websocket("/")
    refusal = caught.value
    assert refusal.status_code == status
    assert refusal.content == (b"" if status == 204 else b"because")
    assert refusal.headers["location"] == "/there/"
    text = {204: "", 302: ": redirected to /there/: because"}.get(status, ": because")
    assert str(refusal) == f"refused with {status}{text}"


def test_a_long_error_page_is_cut_in_the_message():
    assert len(str(WebSocketRefused(500, {}, b"\xff" * 10_000))) < 600


def test_of_a_page_the_message_has_the_title():
    page = (
        b"<html><head><title>DisallowedHost\n at /&lt;a&gt;</title><style>x</style></head></html>"
    )
    assert str(WebSocketRefused(400, {}, page)) == "refused with 400: DisallowedHost\n at /<a>"


def test_receive_times_out(site):
    # The handshake has no longer than this, either: a busy machine needs some of it.
    with site.serve(echo).websocket("/", timeout=3) as websocket:
        with pytest.raises(TimeoutError):
            websocket.receive()
        with pytest.raises(TimeoutError):
            websocket.receive(timeout=0)
        websocket.send("late")
        assert websocket.receive(timeout=TIMEOUT) == "late"


def test_open_times_out(site):
    over = threading.Event()

    @accept_websocket(auto_accept=False)
    def view(request):
        over.wait(TIMEOUT)
        return HttpResponse()

    client = site.serve(view)
    started = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            client.websocket("/", timeout=0.05)
        assert time.monotonic() - started < TIMEOUT / 2
    finally:
        over.set()


def test_close_tells_of_a_view_that_goes_on(site):
    over = threading.Event()

    @require_websocket
    def view(request):
        request.websocket.wait()
        over.wait(TIMEOUT)

    websocket = site.serve(view).websocket("/", timeout=3)
    try:
        with pytest.raises(TimeoutError, match="still runs 3 seconds"):
            websocket.close()
    finally:
        over.set()


def test_closing_from_the_test(site, reports):
    @require_websocket
    def view(request):
        reports(request.websocket.wait())
        reports((request.websocket.close_code, request.websocket.close_reason))

    websocket = site.serve(view).websocket("/")
    assert (websocket.close_code, websocket.close_reason) == (None, None)
    websocket.close(4000, "bye")
    assert reports.all() == [None, (4000, "bye")]


def test_close_by_the_view(site):
    @require_websocket
    def view(request):
        request.websocket.close(4001, "enough")

    with site.serve(view).websocket("/") as websocket:
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "enough")
        assert (websocket.close_code, websocket.close_reason) == (4001, "enough")


def test_the_view_has_ended_after_the_with_block(site):
    ended = []

    @require_websocket
    def view(request):
        request.websocket.wait()
        ended.append(True)

    with site.serve(view).websocket("/"):
        pass
    assert ended == [True]


def test_a_handler_s_on_close_has_been_called_after_the_with_block(site):
    closed = []

    class Slow(WebSocketHandler):
        def on_close(self):
            time.sleep(0.2)
            closed.append(self.websocket.close_code)

    with site.serve(Slow.as_view()).websocket("/") as websocket:
        websocket.send("message")
    assert closed == [1000]


def test_a_handler_may_be_called_in_the_thread_of_the_request(site):
    threads = []

    class Threads(WebSocketHandler):
        def on_open(self):
            threads.append(threading.get_ident())

        on_close = on_open

        def on_message(self, message):
            threads.append(threading.get_ident())
            self.send(message)

    client = site.serve(Threads.as_view())
    with client.websocket("/", in_request=True) as websocket:
        websocket.send("message")
        assert websocket.receive() == "message"
    assert len(threads) == 3
    assert len(set(threads)) == 1


def test_many_at_once_talk_to_each_other(site):
    peers = []

    @require_websocket
    def view(request):
        peers.append(request.websocket)
        request.websocket.send("in")
        for message in request.websocket:
            for peer in peers:
                peer.send(message)

    client = site.serve(view)
    with client.websocket("/") as first, client.websocket("/") as second:
        assert (first.receive(), second.receive()) == ("in", "in")
        first.send("hello")
        assert (first.receive(), second.receive()) == ("hello", "hello")


def test_json_of_django_types(site):
    from decimal import Decimal

    with site.serve(echo).websocket("/") as websocket:
        websocket.send_json({"price": Decimal("1.10")})
        assert json.loads(websocket.receive()) == {"price": "1.10"}


def test_no_warning_reaches_the_users_tests(site):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with site.serve(echo).websocket("/") as websocket:
            websocket.send("a")
            assert websocket.receive() == "a"


def test_no_thread_and_no_socket_is_left(site, recwarn):
    client = site.serve(echo)
    for _ in range(3):
        with client.websocket("/"):
            pass
    wait_until(lambda: "dwebsocket-test" not in thread_names())  # nor one of another test
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]


def thread_names():
    return [thread.name for thread in threading.enumerate()]


def test_it_is_django_s_client():
    from django.test import Client

    assert issubclass(WebSocketClient, Client)


class Counting(WebSocketHandler):
    """Counts in each of its calls, in whatever thread it is."""

    def on_open(self):
        self.send(str(count_adas()))

    def on_message(self, message):
        add_ada()
        self.send(str(count_adas()))


class AsyncCounting(WebSocketHandler):
    async def on_open(self):
        self.send(str(await sync_to_async(count_adas)()))

    async def on_message(self, message):
        await sync_to_async(add_ada)()
        self.send(str(await sync_to_async(count_adas)()))


@require_websocket
def counting(request):
    request.websocket.send(str(count_adas()))
    for _ in request.websocket:
        add_ada()
        request.websocket.send(str(count_adas()))


@require_websocket
async def async_counting(request):
    await request.websocket.asend(str(await sync_to_async(count_adas)()))
    async for _ in request.websocket:
        await sync_to_async(add_ada)()
        await request.websocket.asend(str(await sync_to_async(count_adas)()))


def count_adas():
    return get_user_model().objects.filter(username__startswith="ada").count()


def add_ada():
    get_user_model().objects.create(username=f"ada {count_adas()}")


@pytest.mark.parametrize("in_request", [False, True])
@pytest.mark.parametrize(
    "view", [counting, async_counting, Counting.as_view(), AsyncCounting.as_view()]
)
def test_all_are_inside_the_transaction_of_the_test(site, view, in_request):
    """What the test has written is there for them, and the other way round; nothing is left."""
    client = site.serve(view)
    with suppress(ZeroDivisionError), transaction.atomic():
        add_ada()
        with client.websocket("/", in_request=in_request) as one:
            assert one.receive() == "1"
            one.send("add")
            assert one.receive() == "2"
            with client.websocket("/", in_request=in_request) as two:
                assert two.receive() == "2"
                two.send("add")
                assert two.receive() == "3"
        assert count_adas() == 3
        raise ZeroDivisionError
    assert count_adas() == 0
    assert not connection.allow_thread_sharing
    assert "close_if_unusable_or_obsolete" not in vars(connection)
    connection.close()


@pytest.mark.parametrize("view", [async_counting, Counting.as_view(), AsyncCounting.as_view()])
def test_by_itself_each_goes_on_beside_its_request(site, view):
    """What middleware has set up is undone by then."""
    site.change(MIDDLEWARE=[*MIDDLEWARE, f"{__name__}.ending"])
    ended.clear()
    with site.serve(view).websocket("/") as session:
        session.receive()
        assert ended.wait(TIMEOUT)
        session.send("add")
        session.receive()
    get_user_model().objects.all().delete()
    connection.close()


ended = threading.Event()


def ending(get_response):
    """Middleware that says when it is over."""

    def middleware(request):
        response = get_response(request)
        ended.set()
        return response

    return middleware
