"""What a view or handler raises is raised in the test: once, and never in the place of its own."""

import asyncio
import sys
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpResponse
from django.urls import path

from dwebsocket import (
    ConnectionClosed,
    JsonWebSocketHandler,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)
from dwebsocket.testing import WebSocketRefused

from ..site import MIDDLEWARE, TIMEOUT, wait_until


class Mistake(Exception):
    """Equal to every other one, as those of a dataclass may be."""

    def __eq__(self, other):
        return isinstance(other, Mistake)

    __hash__ = Exception.__hash__


def fail(text="a mistake"):
    raise Mistake(text)


@require_websocket
def view(request):
    for _ in request.websocket:
        fail()


@require_websocket
async def async_view(request):
    async for _ in request.websocket:
        fail()


@accept_websocket(auto_accept=False)
def late_view(request):
    request.websocket.accept()
    request.websocket.wait()
    fail()


@accept_websocket(auto_accept=False)
async def async_late_view(request):
    request.websocket.accept()
    await request.websocket.areceive()
    fail()


class Handler(WebSocketHandler):
    def on_message(self, message):
        fail()


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        fail()


class Mixed(WebSocketHandler):
    """An async one with a plain method, which is called in another thread."""

    async def on_open(self):
        pass

    def on_message(self, message):
        fail()


class Json(JsonWebSocketHandler):
    def on_message(self, message):
        fail()


class Forgetful(Handler):
    keep_request = False


class Awaited(WebSocketHandler):
    """Awaits a task, whose error is so its own."""

    async def on_message(self, message):
        await self.start_task("task", self.work)

    async def work(self):
        fail()


FAILING = {
    "view": view,
    "async view": async_view,
    "late view": late_view,
    "async late view": async_late_view,
    "handler": Handler.as_view(),
    "async handler": AsyncHandler.as_view(),
    "plain method": Mixed.as_view(),
    "JSON handler": Json.as_view(),
    "without request": Forgetful.as_view(),
    "awaited task": Awaited.as_view(),
}
failing = pytest.mark.parametrize("name", FAILING)


def receive(websocket):
    websocket.send("5")
    websocket.receive()


def receive_json(websocket):
    websocket.send("5")
    websocket.receive_json()


def iterate(websocket):
    websocket.send("5")
    for _ in websocket:
        pass


def close(websocket):
    websocket.send("5")
    websocket.close()


@failing
@pytest.mark.parametrize("wait", [receive, receive_json, iterate, close])
def test_it_is_raised_where_the_test_waits(serve, name, wait):
    with serve(FAILING[name]).websocket("/") as websocket:
        with pytest.raises(Mistake, match="a mistake") as caught:
            wait(websocket)
        frames = [entry.name for entry in caught.traceback]
        assert frames[0] == "test_it_is_raised_where_the_test_waits"
        assert frames[-1] == "fail"
        websocket.close()  # and not again
    assert wait is close or websocket.close_code == 1011


@failing
def test_it_is_raised_at_the_end(serve, name):
    with (
        pytest.raises(Mistake, match="a mistake"),
        serve(FAILING[name]).websocket("/") as websocket,
    ):
        websocket.send("5")


@failing
def test_the_test_s_own_error_is_the_one_to_be_seen(serve, name):
    def test():
        with serve(FAILING[name]).websocket("/") as websocket:
            websocket.send("5")
            raise AssertionError("my own")

    with pytest.raises(AssertionError, match="my own") as caught:
        test()
    assert isinstance(caught.value.__context__, Mistake)


@failing
@pytest.mark.parametrize("of_client", [False, True])
def test_not_raised_if_the_test_does_not_want_it(serve, caplog, name, of_client):
    argument = {"raise_request_exception": False}
    client = serve(FAILING[name], client=argument if of_client else None)
    with client.websocket("/", **({} if of_client else argument)) as websocket:
        websocket.send("5")
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
    assert caught.value.code == 1011
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Mistake] * (
        2 if name == "awaited task" else 1  # as a task's, too
    )


def test_the_argument_comes_before_the_client_s(serve):
    client = serve(view, client={"raise_request_exception": False})
    websocket = client.websocket("/", raise_request_exception=True)
    with pytest.raises(Mistake):
        close(websocket)


def test_what_was_sent_before_is_received_before(serve):
    @require_websocket
    def view(request):
        for number in range(3):
            request.websocket.send(str(number))
        fail()

    with serve(view).websocket("/") as websocket:
        assert [websocket.receive() for _ in range(3)] == ["0", "1", "2"]
        with pytest.raises(Mistake):
            websocket.receive()
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
    assert caught.value.code == 1011


def test_sending_to_it_raises_it(serve):
    with serve(view).websocket("/") as websocket:
        websocket.send("5")
        wait_until(lambda: websocket.close_code is not None)
        with pytest.raises(Mistake):
            websocket.send("again")
        with pytest.raises(ConnectionClosed):
            websocket.send("again")


class FailingEnd(WebSocketHandler):
    def on_close(self):
        fail("in on_close")


class AsyncFailingEnd(WebSocketHandler):
    async def on_close(self):
        fail("in on_close")


@pytest.mark.parametrize("handler", [FailingEnd, AsyncFailingEnd])
def test_on_close(serve, handler):
    with pytest.raises(Mistake, match="in on_close"), serve(handler.as_view()).websocket("/"):
        pass
    websocket = serve(handler.as_view()).websocket("/")
    with pytest.raises(Mistake, match="in on_close"):
        websocket.close()


class FailingTwice(Handler):
    def on_error(self, error):
        raise LookupError("in on_error")


class AsyncFailingTwice(AsyncHandler):
    async def on_error(self, error):
        raise LookupError("in on_error")


@pytest.mark.parametrize("handler", [FailingTwice, AsyncFailingTwice])
def test_on_error_has_the_first_one_before_it(serve, handler):
    client = serve(handler.as_view())
    with client.websocket("/") as websocket, pytest.raises(LookupError, match="in on_") as caught:
        receive(websocket)
    assert isinstance(caught.value.__context__, Mistake)


class FailingThroughout(Handler, FailingEnd):
    pass


def test_two_that_have_nothing_to_do_with_each_other(serve):
    client = serve(FailingThroughout.as_view())
    with pytest.raises(Mistake, match="a mistake") as caught, client.websocket("/") as websocket:
        websocket.send("5")
    assert str(caught.value.__context__) == "in on_close"


class Working(WebSocketHandler):
    """Its task fails, and the connection stays open."""

    async def on_open(self):
        self.start_task("task", self.work)

    async def on_message(self, message):
        self.send(message)

    async def work(self):
        self.send("working")
        fail("in a task")


class CallingBack(Working):
    async def on_open(self):
        self.start_task("task", self.work, callback=self.tell)

    async def work(self):
        self.send("working")

    def tell(self, task):
        fail("in a task")


@pytest.mark.parametrize("handler", [Working, CallingBack])
def test_tasks(serve, handler):
    with serve(handler.as_view()).websocket("/") as websocket:
        assert websocket.receive() == "working"
        with pytest.raises(Mistake, match="in a task"):
            websocket.receive()
        websocket.send("still here")
        assert websocket.receive() == "still here"


def test_a_task_whose_error_its_handler_sees_to(serve):
    class Careful(Working):
        def on_task_error(self, error):
            self.send(str(error))

    with serve(Careful.as_view()).websocket("/") as websocket:
        assert [websocket.receive(), websocket.receive()] == ["working", "in a task"]


def test_a_closed_connection_is_no_error(serve):
    @require_websocket
    def view(request):
        request.websocket.close(4000)
        request.websocket.send("too late")

    @require_websocket
    async def async_view(request):
        while True:
            await request.websocket.areceive()

    class Late(WebSocketHandler):
        def on_message(self, message):
            self.close()
            self.send("too late")

    with serve(view).websocket("/") as websocket, pytest.raises(ConnectionClosed):
        websocket.receive()
    with serve(async_view).websocket("/"):
        pass
    with serve(Late.as_view()).websocket("/") as websocket:
        websocket.send("5")


@pytest.mark.parametrize("serve", ["sockets", "asgi"], indirect=True)
def test_an_async_view_whose_client_leaves_is_no_error(serve):
    @require_websocket
    async def view(request):
        await request.websocket.asend("in")
        await asyncio.sleep(TIMEOUT)

    with serve(view, WEBSOCKET_CLOSE_TIMEOUT=0.1).websocket("/") as websocket:
        websocket.receive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_is_no_exception_of_django_s(serve):
    """``pytest.fail()`` in a view, which is no ``Exception``; and a 404 that comes too late."""

    @require_websocket
    def failed(request):
        pytest.fail("the view is wrong")

    @require_websocket
    async def async_failed(request):
        pytest.fail("the view is wrong")

    @require_websocket
    def lost(request):
        raise Http404

    @accept_websocket(auto_accept=False)
    def early(request):
        pytest.fail("the view is wrong")

    @accept_websocket(auto_accept=False)
    async def async_early(request):
        pytest.fail("the view is wrong")

    client = serve(
        failed,
        path("async/", async_failed),
        path("lost/", lost),
        path("early/", early),
        path("async-early/", async_early),
    )
    for address in ("/early/", "/async-early/"):
        with pytest.raises(pytest.fail.Exception):
            client.websocket(address)
    with client.websocket("/async/") as websocket, pytest.raises(pytest.fail.Exception):
        websocket.receive()
    with client.websocket("/") as websocket, pytest.raises(pytest.fail.Exception):
        websocket.receive()
    with client.websocket("/lost/") as websocket, pytest.raises(Http404):
        websocket.receive()


@pytest.mark.parametrize("async_", [False, True])
def test_before_the_handshake_is_accepted(serve, async_):
    @accept_websocket(auto_accept=False)
    def view(request):
        fail()

    @accept_websocket(auto_accept=False)
    async def async_view(request):
        fail()

    client = serve(async_view if async_ else view)
    with pytest.raises(Mistake, match="a mistake"):
        client.websocket("/")
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/", raise_request_exception=False)
    assert caught.value.status_code == 500


def failing_middleware(get_response):
    def middleware(request):
        fail("in middleware")

    return middleware


def test_middleware_and_settings(serve):
    client = serve(view, MIDDLEWARE=[*MIDDLEWARE, f"{__name__}.failing_middleware"])
    with pytest.raises(Mistake, match="in middleware"):
        client.websocket("/")
    with pytest.raises(ImproperlyConfigured, match="WEBSOCKET_CLOSE_TIMEOUT"):
        serve(view, MIDDLEWARE=MIDDLEWARE, WEBSOCKET_CLOSE_TIMEOUT="soon").websocket("/")


def test_a_refusal_is_none(serve):
    @accept_websocket(auto_accept=False)
    def view(request):
        if "lost" in request.GET:
            raise Http404
        return HttpResponse(status=500)

    client = serve(view)
    for address, status in [("/?lost", 404), ("/", 500), ("/nowhere/", 404)]:
        with pytest.raises(WebSocketRefused) as caught:
            client.websocket(address)
        assert caught.value.status_code == status


def test_each_session_has_its_own(serve):
    release = threading.Event()

    @require_websocket
    def patient(request):
        request.websocket.wait()
        release.wait(TIMEOUT)
        request.websocket.send("fine")

    client = serve(view, path("patient/", patient))
    with client.websocket("/patient/") as other:
        other.send("5")
        with client.websocket("/") as websocket, pytest.raises(Mistake):
            receive(websocket)
        release.set()
        assert other.receive() == "fine"


def test_requests_beside_it_are_not_heard(serve):
    """An error of a plain request, which Django's own client raises."""

    def broken(request):
        fail("in a page")

    class Asking(WebSocketHandler):
        def on_message(self, message):
            self.send(message)

    client = serve(Asking.as_view(), path("page/", broken))
    with client.websocket("/") as websocket:
        from django.test import Client

        with pytest.raises(Mistake, match="in a page"):
            Client().get("/page/")
        websocket.send("5")
        assert websocket.receive() == "5"


def test_nobody_closes_it(serve, monkeypatch):
    """It is told when the session is forgotten: pytest makes a warning of that."""
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: told.append(args.exc_value))
    opened = [serve(view).websocket("/")]
    opened[0].send("5")
    wait_until(lambda: opened[0].close_code is not None)
    assert told == []
    opened.clear()
    wait_until(lambda: told)  # the view's thread may still have it
    assert [str(error) for error in told] == ["a mistake"]
