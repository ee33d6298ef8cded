"""``get_websocket_application()``: what each kind of scope gets, and what the request is."""

import asyncio
import threading
from itertools import repeat

import pytest
from django.core import signals
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.asgi import AsgiHandshakeRequest, get_websocket_application
from dwebsocket.middleware import WebSocketMiddleware
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS, wait_until


class Channel:
    """A call of the application by hand, for scopes that are no WebSocket's."""

    def __init__(self, loop, application, scope):
        self._loop = loop
        loop.run(self._start(application, scope))

    async def _start(self, application, scope):
        self.incoming, self.outgoing = asyncio.Queue(), asyncio.Queue()
        self.call = asyncio.create_task(application(scope, self.incoming.get, self.outgoing.put))

    def put(self, event):
        self._loop.run(self.incoming.put(event))

    def get(self):
        return self._loop.run(asyncio.wait_for(self.outgoing.get(), 10))

    def join(self):
        self._loop.run(asyncio.wait_for(self.call, 10))


def plain(request):
    return HttpResponse(f"plain {request.method}")


def get_page(loop, application, address="/"):
    scope = AsyncRequestFactory().get(address).scope
    channel = Channel(loop, application, {**scope, "headers": [(b"host", b"testserver")]})
    channel.put({"type": "http.request"})
    start, body = channel.get(), channel.get()
    channel.join()
    return start["status"], body["body"]


def test_http_goes_to_django(loop, serve):
    application = serve(plain).application
    assert get_page(loop, application) == (200, b"plain GET")


def test_a_page_whose_query_looks_like_a_poll_goes_to_django(loop, serve):
    """As does its body, which may be longer than that of a poll, and its stream."""

    @accept_websocket
    def stream(request):
        return StreamingHttpResponse(parts())

    async def parts():
        yield "streamed"

    application = serve(stream).application
    assert get_page(loop, application, "/?notEIO=4") == (200, b"streamed")


def test_our_middleware_takes_no_thread(loop, serve, monkeypatch):
    def fail(*args):
        raise AssertionError

    async def view(request):
        return HttpResponse(str(request.is_websocket()))

    async def get_response(request):
        assert await middleware.process_view(request, view, (), {}) is None
        return await view(request)

    serve(view)
    middleware = WebSocketMiddleware(get_response)
    monkeypatch.setattr(loop.loop, "run_in_executor", fail)
    request = AsyncRequestFactory().get("/")
    assert loop.run(middleware(request)).content == b"False"


def test_a_view_that_must_have_a_websocket_and_our_middleware(loop, serve):
    async def view(request):
        raise AssertionError

    view.require_websocket = True
    status, body = get_page(loop, serve(view, MIDDLEWARE=[OURS]).application)
    assert (status, b"WebSockets only" in body) == (400, True)


async def other_app(scope, receive, send):
    """An application that is not Django's, and has something to start."""
    if scope["type"] == "lifespan":
        while (event := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{event['type']}.complete", "by": "other"})
        await send({"type": "lifespan.shutdown.complete", "by": "other"})
        return
    await receive()
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"other"})


def test_http_goes_to_another_application(loop, serve):
    serve(plain)
    application = get_websocket_application(other_app)
    assert get_page(loop, application) == (202, b"other")


def test_websockets_do_not_go_to_another_application(loop, serve):
    @require_websocket
    async def view(request):
        await request.websocket.asend("django")

    client = serve(view)
    client.application = get_websocket_application(other_app)
    with client.websocket("/") as session:
        assert session.receive() == "django"


@pytest.mark.parametrize("who", ["nobody", "django", "other"])
def test_lifespan(loop, serve, who):
    serve(plain)
    http_app = {"nobody": None, "django": get_asgi_application(), "other": other_app}[who]
    channel = Channel(loop, get_websocket_application(http_app), {"type": "lifespan"})
    for what in ("startup", "shutdown"):
        channel.put({"type": f"lifespan.{what}"})
        answer = channel.get()
        assert answer["type"] == f"lifespan.{what}.complete"
        assert answer.get("by") == ("other" if who == "other" else None)
    channel.join()


def test_the_request(serve, reports, user):
    @require_websocket
    def view(request):
        request.session["seen"] = True
        request.websocket.wait()
        reports(
            [
                type(request),
                request.method,
                request.scheme,
                request.build_absolute_uri(),
                request.GET["a"],
                request.headers["X-Token"],
                request.COOKIES["colour"],
                request.user.username,
                request.META["REMOTE_ADDR"],
                request.body,
                request.is_websocket(),
            ]
        )

    client = serve(view)
    client.force_login(user)
    client.cookies["colour"] = "green"
    finished = threading.Event()
    signals.request_finished.connect(receiver := lambda **kwargs: finished.set())
    with client.websocket("/?a=1", headers={"X-Token": "t"}) as session:
        session.send("go")
        told = reports.next()
    assert finished.wait(10)
    signals.request_finished.disconnect(receiver)
    assert told == [
        AsgiHandshakeRequest,
        "GET",
        "http",
        "http://testserver/?a=1",
        "1",
        "t",
        "green",
        "ada",
        "127.0.0.1",
        b"",
        True,
    ]


def test_tls(serve, reports):
    @require_websocket
    def view(request):
        reports((request.scheme, request.is_secure(), request.build_absolute_uri()))

    client = serve(view)
    with client.websocket("/", scheme="wss", origin="https://testserver"):
        assert reports.next() == ("https", True, "https://testserver/")
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/", scheme="wss", origin="http://testserver")
    assert caught.value.status_code == 403


def test_a_refusal_is_a_whole_response(serve):
    def view(request):
        response = HttpResponse("not now", status=503, headers={"Retry-After": "5"})
        response.set_cookie("colour", "green")
        return response

    def streaming(request):
        return StreamingHttpResponse(repeat(b"for ever"), status=409)

    with pytest.raises(WebSocketRefused) as caught:
        serve(view).websocket("/")
    refusal = caught.value
    assert (refusal.status_code, refusal.content) == (503, b"not now")
    assert refusal.headers["retry-after"] == "5"
    assert refusal.headers["set-cookie"].startswith("colour=green")
    with pytest.raises(WebSocketRefused) as caught:
        serve(streaming).websocket("/")
    assert (caught.value.status_code, caught.value.content) == (409, b"")


def test_an_address_that_is_no_text(serve):
    client = serve(plain)
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/", query_string=b"a=\xff")
    refusal = caught.value
    assert (refusal.status_code, refusal.content) == (400, b"The address is not UTF-8.\n")


def test_a_client_who_left_before_the_refusal(serve, loop):
    """The server says so by an exception of its own."""
    client = serve(plain)
    application = client.application

    async def leaving(scope, receive, send):
        async def gone(event):
            raise ConnectionResetError

        await application(scope, receive, gone)

    for extensions in ({}, {"websocket.http.response": {}}):
        scope = client.build_scope("/") | {"extensions": extensions}
        channel = Channel(loop, leaving, scope)
        channel.put({"type": "websocket.connect"})
        channel.join()


def test_a_client_who_left_before_the_handshake(serve, loop):
    client = serve(plain)
    channel = Channel(loop, client.application, client.build_scope("/"))
    channel.put({"type": "websocket.disconnect", "code": 1006})
    channel.join()
    assert channel.outgoing.empty()


@pytest.mark.parametrize("accepted", [True, False])
def test_the_signals_of_a_request(serve, reports, accepted):
    class Echo(WebSocketHandler):
        async def on_open(self):
            self.send("open")

    def started(scope, **kwargs):
        reports(f"started {scope['method']} {scope['path']}")

    def finished(**kwargs):
        reports("finished")

    client = serve(Echo.as_view() if accepted else plain)
    signals.request_started.connect(started)
    signals.request_finished.connect(finished)
    try:
        if accepted:
            with client.websocket("/") as session:
                assert session.receive() == "open"
                wait_until(lambda: reports._queue.qsize() == 2)
        else:
            with pytest.raises(WebSocketRefused):
                client.websocket("/")
    finally:
        signals.request_started.disconnect(started)
        signals.request_finished.disconnect(finished)
    assert reports.all() == ["started GET /", "finished"]


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS]])
def test_not_accepted(serve, middleware):
    """With our middleware a WebSocket is refused by views that do not expect one."""
    client = serve(plain, MIDDLEWARE=middleware)
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/")
    assert caught.value.status_code == (400 if OURS in middleware else 200)


def test_views_that_serve_both(serve):
    @accept_websocket
    async def view(request):
        if not request.is_websocket():
            return HttpResponse("plain")
        await request.websocket.asend("websocket")
        return None

    client = serve(view)
    assert client.get("/").content == b"plain"
    with client.websocket("/") as session:
        assert session.receive() == "websocket"
