"""What is changed after the 101 and reaches nobody is told in the log, once a view."""

import pytest
from django.contrib import messages
from django.core.signals import request_finished
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.backends import view_threads
from dwebsocket.upgrade.lost_changes import told

from .asgi import AsgiClient
from .conftest import LeftClient
from .site import MIDDLEWARE, wait_until


@pytest.fixture(autouse=True)
def forget():
    told.clear()
    yield
    wait_until(lambda: view_threads.running == 0)  # a view may tell at its very end
    told.clear()


def change(request, message):
    """What a client asks for."""
    if message == "session":
        request.session["last"] = "changed"
    elif message == "saved session":
        request.session["last"] = "changed"
        request.session.save()
        request.session.modified = False
    elif message == "message":
        messages.info(request, "hello")


@require_websocket
def view(request):
    for message in request.websocket:
        change(request, message)
        request.websocket.send("done")


@require_websocket
async def coroutine(request):
    await request.session.aget("last")
    async for message in request.websocket:
        if message == "saved session":
            await request.session.aset("last", "changed")
            await request.session.asave()
            request.session.modified = False
        else:
            change(request, message)
        await request.websocket.asend("done")


class Handler(WebSocketHandler):
    def on_message(self, message):
        change(self.request, message)
        self.send("done")


class AsyncHandler(WebSocketHandler):
    async def on_open(self):
        await self.request.session.aget("last")

    async def on_message(self, message):
        if message == "saved session":
            await self.request.session.aset("last", "changed")
            await self.request.session.asave()
            self.request.session.modified = False
        else:
            change(self.request, message)
        await self.send("done")


class Giving(WebSocketHandler):
    keep_request = False

    def on_message(self, message):
        self.send("done")


VIEWS = {
    "view": view,
    "coroutine": coroutine,
    "handler": Handler.as_view(),
    "async handler": AsyncHandler.as_view(),
}
kinds = pytest.mark.parametrize("kind", VIEWS)


def name_of(kind):
    return VIEWS[kind].view_class.__qualname__ if "handler" in kind else kind


def lines_of(caplog, kind=""):
    """What is told; of a kind only that, since the view of another test may still be ending."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "dwebsocket.connection"
        and (not kind or f".{name_of(kind)} has " in record.getMessage())
    ]


@pytest.fixture(autouse=True)
def ended():
    """The requests that have ended, one after the other."""
    requests = []

    def receiver(**kwargs):
        requests.append(1)

    request_finished.connect(receiver)
    yield requests
    request_finished.disconnect(receiver)


def talk(client, *texts, ended=None):
    """In a request that ends behind the 101 only then, if ``ended`` is given."""
    count = len(ended or ())
    with client.websocket("/") as websocket:
        if ended is not None and isinstance(client, (AsgiClient, LeftClient)):
            wait_until(lambda: len(ended) > count)
        for text in texts:
            websocket.send(text)
            assert websocket.receive() == "done"


@pytest.fixture
def known(user):
    """Log a client in: it has a session, and its cookie."""

    def log_in(client):
        client.force_login(user)
        return client

    return log_in


@kinds
@pytest.mark.parametrize("text", ["session", "message"])
def test_told_once(serve_either, caplog, ended, kind, text):
    """The client has no cookie: neither a session nor a message in one reaches it."""
    client = serve_either(VIEWS[kind])
    ended = None if kind == "view" else ended  # it may stay in its request
    talk(client, text, ended=ended)
    wait_until(lambda: lines_of(caplog, kind))
    talk(client, text, ended=ended)
    talk(client, "nothing")
    [line] = lines_of(caplog, kind)
    assert line.startswith(f"tests.glue.test_lost_changes.{name_of(kind)} has ")
    assert ("session" if text == "session" else "message") in line


@kinds
@pytest.mark.parametrize("text", ["nothing", "saved session"])
def test_nothing_is_lost(serve_either, known, caplog, kind, text):
    talk(known(serve_either(VIEWS[kind])), text)
    assert lines_of(caplog, kind) == []


def test_a_session_that_the_middleware_saves(site, known, caplog):
    """In a request that lasts as long as the view."""
    client = known(site.serve(VIEWS["view"]))
    talk(client, "session")
    assert client.session["last"] == "changed"
    assert lines_of(caplog, "view") == []


class SessionInOnOpen(WebSocketHandler):
    def on_open(self):
        self.request.session["last"] = "opened"
        messages.info(self.request, "hello")

    def on_message(self, message):
        change(self.request, message)
        self.send("done")


@pytest.mark.parametrize("text", ["nothing", "session"])
def test_what_on_open_changes_is_saved(serve, known, caplog, ended, text):
    """The request ends behind it; what comes later is another matter."""
    client = known(
        serve(
            SessionInOnOpen.as_view(),
            MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
        )
    )
    talk(client, text, ended=ended)
    assert client.session["last"] == "opened"
    wait_until(lambda: len(lines_of(caplog)) >= (text == "session"))
    assert len(lines_of(caplog)) == (text == "session")


class Tracking(MiddlewareMixin):
    def process_response(self, request, response):
        response.set_cookie("visitor", "1")
        return response


@kinds
def test_a_cookie_of_middleware(serve_either, caplog, kind):
    path = f"{__name__}.Tracking"
    client = serve_either(VIEWS[kind], MIDDLEWARE=[path, *MIDDLEWARE])
    talk(client, "nothing")
    wait_until(lambda: lines_of(caplog, kind))
    [line] = lines_of(caplog, kind)
    assert "the cookie visitor was set" in line


@kinds
def test_a_cookie_that_the_client_has(serve_either, caplog, kind):
    client = serve_either(VIEWS[kind], MIDDLEWARE=[f"{__name__}.Tracking", *MIDDLEWARE])
    client.cookies["visitor"] = "1"
    talk(client, "nothing")
    assert lines_of(caplog, kind) == []


def test_a_cookie_in_what_the_view_returns(site, caplog):
    @accept_websocket
    def setting(request):
        response = HttpResponse()
        response.set_cookie("seen", "1")
        return response

    client = site.serve(setting)
    client.get("/")
    client.cookies.clear()
    with client.websocket("/"):
        pass
    [line] = lines_of(caplog)
    assert "the cookie seen was set" in line


def test_a_cookie_in_what_a_coroutine_returns(serve_either, caplog):
    @require_websocket
    async def setting(request):
        response = HttpResponse()
        response.set_cookie("seen", "1")
        return response

    with serve_either(setting).websocket("/"):
        pass
    wait_until(lambda: lines_of(caplog))
    [line] = lines_of(caplog)
    assert "the cookie seen was set" in line


def test_a_handler_that_has_given_its_request_back(serve_either, caplog):
    talk(serve_either(Giving.as_view()), "session")
    assert lines_of(caplog) == []


def test_a_request_that_is_made_otherwise(serve_either, caplog):
    """Middleware may put anything there."""

    @require_websocket
    def odd(request):
        request.session = 5
        request._messages = None
        request.websocket.send("done")
        request.websocket.wait()

    talk(
        serve_either(odd, MIDDLEWARE=[]),
    )
    assert lines_of(caplog) == []
