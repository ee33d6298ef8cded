"""AsyncWebSocketClient: the application for ASGI servers, in the event loop of a test."""

import asyncio
import threading
from contextlib import suppress
from functools import wraps

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import AsyncClient
from django.urls import path

from dwebsocket import ConnectionClosed, WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.asgi import get_websocket_application
from dwebsocket.testing import AsyncWebSocketClient, WebSocketRefused

from ..site import TIMEOUT
from .test_client import AsyncCounting, Counting, add_ada, async_counting, count_adas, counting


def in_loop(test):
    """The test is a coroutine function, called as Django's test cases call theirs."""

    @wraps(test)
    def wrapper(*args, **kwargs):
        async_to_sync(test)(*args, **kwargs)

    return wrapper


@accept_websocket(subprotocols=["chat"])
def echo(request):
    if not request.is_websocket():
        return HttpResponse("plain")
    for message in request.websocket:
        request.websocket.send(message)
    return None


@require_websocket
async def async_echo(request):
    async for message in request.websocket:
        await request.websocket.asend(message)


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.send(message)


class AsyncEcho(WebSocketHandler):
    async def on_message(self, message):
        await self.send(message)


ECHOES = [echo, async_echo, Echo.as_view(), AsyncEcho.as_view()]


@pytest.mark.parametrize("view", ECHOES)
@in_loop
async def test_messages_both_ways(site, view):
    site.serve(view)
    async with AsyncWebSocketClient().websocket("/") as websocket:
        for message in ("text", "\u20ac", b"\xff", "", "x" * 200_000):
            await websocket.send(message)
            assert await websocket.receive() == message
        await websocket.send_json({"a": [1]})
        assert await websocket.receive_json() == {"a": [1]}
    assert websocket.close_code == 1000


@in_loop
async def test_it_is_django_s_client(site, user):
    @accept_websocket
    async def view(request):
        user = await request.auser()
        if not request.is_websocket():
            return HttpResponse(user.get_username())
        await request.websocket.asend(user.get_username())
        return None

    site.serve(view)
    client = AsyncWebSocketClient()
    assert isinstance(client, AsyncClient)
    await client.aforce_login(user)
    assert (await client.get("/")).content == b"ada"
    async with client.websocket("/") as websocket:
        assert await websocket.receive() == "ada"
    await client.alogout()
    async with client.websocket("/") as websocket:
        assert await websocket.receive() == ""


@in_loop
async def test_awaited_and_entered(site):
    site.serve(echo)
    client = AsyncWebSocketClient()
    websocket = await client.websocket("/", subprotocols=["chat"])
    assert websocket.subprotocol == "chat"
    async with websocket:
        await websocket.send("a")
        assert await websocket.receive() == "a"
    async with await client.websocket("/") as websocket:
        await websocket.send("a")
        assert await websocket.receive() == "a"


@in_loop
async def test_iteration(site):
    @require_websocket
    async def view(request):
        for number in range(3):
            await request.websocket.asend(str(number))
        await request.websocket.aclose(4000, "enough")

    site.serve(view)
    async with AsyncWebSocketClient().websocket("/") as websocket:
        assert [message async for message in websocket] == ["0", "1", "2"]
        assert (websocket.close_code, websocket.close_reason) == (4000, "enough")
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.receive()
        assert (caught.value.code, caught.value.reason) == (4000, "enough")


@in_loop
async def test_closing_from_the_test(site, reports):
    @require_websocket
    def view(request):
        reports(request.websocket.wait())
        reports((request.websocket.close_code, request.websocket.close_reason))

    site.serve(view)
    websocket = await AsyncWebSocketClient().websocket("/")
    assert (websocket.close_code, websocket.close_reason) == (None, None)
    await websocket.close(4000, "bye")
    assert reports.all() == [None, (4000, "bye")]


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 500, 503])
@in_loop
async def test_refused(site, status):
    @accept_websocket(auto_accept=False)
    def view(request):
        content = b"" if status == 204 else b"because"
        return HttpResponse(content, status=status, headers={"Location": "/there/"})

    site.serve(view)
    with pytest.raises(WebSocketRefused) as caught:
        await AsyncWebSocketClient().websocket("/")
    assert caught.value.status_code == status
    assert caught.value.content == (b"" if status == 204 else b"because")
    assert caught.value.location == "/there/"


@in_loop
async def test_times_out(site):
    site.serve(async_echo)
    async with AsyncWebSocketClient().websocket("/", timeout=3) as websocket:
        with pytest.raises(TimeoutError, match="sent nothing for 3 seconds"):
            await websocket.receive()
        with pytest.raises(TimeoutError):
            await websocket.receive(timeout=0)
        await websocket.send("late")
        assert await websocket.receive(timeout=TIMEOUT) == "late"


@in_loop
async def test_an_answer_that_does_not_come(site):
    over = threading.Event()

    @accept_websocket(auto_accept=False)
    def view(request):
        over.wait(TIMEOUT)
        return HttpResponse()

    site.serve(view)
    try:
        with pytest.raises(TimeoutError, match=r"not been answered for 0\.05 seconds"):
            await AsyncWebSocketClient().websocket("/", timeout=0.05)
    finally:
        over.set()


@in_loop
async def test_close_tells_of_a_view_that_goes_on(site, reports):
    @require_websocket
    async def view(request):
        try:
            await asyncio.sleep(TIMEOUT)
        except asyncio.CancelledError:
            reports("cancelled")
            raise

    site.serve(view)
    # The handshake has no longer than this, either: a busy machine needs some of it.
    websocket = await AsyncWebSocketClient().websocket("/", timeout=3)
    with pytest.raises(TimeoutError, match="still runs 3 seconds"):
        await websocket.close()
    while not (found := reports.all()):
        await asyncio.sleep(0)
    assert found == ["cancelled"]


@in_loop
async def test_on_close_has_been_called_after_the_block(site):
    closed = []
    over = threading.Event()

    class Slow(WebSocketHandler):
        def on_close(self):
            over.wait(0.2)
            closed.append(self.websocket.close_code)

    site.serve(Slow.as_view())
    async with AsyncWebSocketClient().websocket("/"):
        pass
    assert closed == [1000]


@in_loop
async def test_many_at_once(site):
    site.serve(echo, path("async/", async_echo))
    client = AsyncWebSocketClient()

    async def talk(address, word):
        async with client.websocket(address) as websocket:
            await websocket.send(word)
            return await websocket.receive()

    talks = [talk(address, f"{address}{n}") for n in range(5) for address in ("/", "/async/")]
    assert await asyncio.gather(*talks) == [
        f"{address}{n}" for n in range(5) for address in ("/", "/async/")
    ]


class Stamping:
    """What asgi.py may have around the application."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        scope["headers"].append((b"x-stamp", b"stamped"))
        await self.application(scope, receive, send)


@in_loop
async def test_an_application(site):
    @require_websocket
    def view(request):
        request.websocket.send(request.headers.get("X-Stamp", "none"))

    site.serve(view)
    application = Stamping(get_websocket_application())
    async with AsyncWebSocketClient().websocket("/", application=application) as websocket:
        assert await websocket.receive() == "stamped"
    async with AsyncWebSocketClient().websocket("/") as websocket:
        assert await websocket.receive() == "none"


@in_loop
async def test_an_application_of_others():
    async def application(scope, receive, send):
        await receive()
        if scope["path"] == "/no/":
            return await send({"type": "websocket.close"})
        if scope["path"] == "/broken/":
            raise LookupError("in the application")
        await send({"type": "websocket.accept"})
        event = await receive()
        await send({"type": "websocket.send", "bytes": event["text"].encode()})
        if scope["path"] == "/later/":
            raise LookupError("in the application")
        return None

    client = AsyncWebSocketClient()
    async with client.websocket("/", application=application) as websocket:
        await websocket.send("a")
        assert await websocket.receive() == b"a"
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.receive()
        assert caught.value.code == 1006
    with pytest.raises(WebSocketRefused) as caught:
        await client.websocket("/no/", application=application)
    assert caught.value.status_code == 403
    with pytest.raises(LookupError, match="in the application"):
        await client.websocket("/broken/", application=application)
    with pytest.raises(WebSocketRefused) as caught:
        await client.websocket("/broken/", application=application, raise_request_exception=False)
    assert caught.value.status_code == 500
    async with client.websocket("/later/", application=application) as websocket:
        await websocket.send("a")
        assert await websocket.receive() == b"a"
        with pytest.raises(LookupError, match="in the application"):
            await websocket.receive()


@pytest.mark.parametrize(
    "view", [counting, async_counting, Counting.as_view(), AsyncCounting.as_view()]
)
def test_all_are_inside_the_transaction_of_the_test(site, view):
    """As with the other client: as Django's TestCase has it, in the thread that called the test."""

    @in_loop
    async def test():
        client = AsyncWebSocketClient()
        async with client.websocket("/") as one:
            assert await one.receive() == "1"
            await one.send("add")
            assert await one.receive() == "2"
            async with client.websocket("/") as two:
                assert await two.receive() == "2"

    site.serve(view)
    with suppress(ZeroDivisionError), transaction.atomic():
        add_ada()
        test()
        assert count_adas() == 2
        raise ZeroDivisionError
    assert count_adas() == 0
    assert not connection.allow_thread_sharing
    assert "close_if_unusable_or_obsolete" not in vars(connection)
    connection.close()
