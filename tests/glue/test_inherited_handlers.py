"""Handlers and views as they are written elsewhere: awaited hooks of the base, errors in them."""

import asyncio
import sys
from contextlib import suppress

import pytest
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from dwebsocket import (
    ConnectionClosed,
    JsonWebSocketHandler,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)


def test_hooks_of_the_base_may_be_awaited(serve_either, reports):
    class Polite(WebSocketHandler):
        async def on_open(self):
            await super().on_open()
            await self.send("open")

        async def on_message(self, message):
            await super().on_message(message)
            raise LookupError

        async def on_error(self, error):
            await super().on_error(error)
            reports(type(error))

        async def on_close(self):
            await super().on_close()
            reports(self.websocket.close_code)

    session = serve_either(Polite.as_view()).websocket("/")
    assert session.receive() == "open"
    session.send("x")
    assert [reports.next(), reports.next()] == [LookupError, 1011]
    session.close()


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("bad", ["{", "[" * 100_000, b"\xff"])
def test_an_error_in_on_error_for_what_is_no_json_is_logged_once(
    serve_either, reports, caplog, kind, bad
):
    class Plain(JsonWebSocketHandler):
        def on_message(self, message):
            reports("must not be called")

        def on_error(self, error):
            reports("called")
            raise ZeroDivisionError

    class Async(Plain):
        async def on_message(self, message):
            reports("must not be called")

    session = serve_either({"plain": Plain, "async": Async}[kind].as_view()).websocket("/")
    session.send(bad)
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1007
    session.close()
    assert reports.all() == ["called"]
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


def test_who_hears_of_its_tasks_end_may_find_the_connection_closed(serve_either, reports, caplog):
    class Telling(WebSocketHandler):
        async def on_open(self):
            self.start_task("wait", asyncio.Event().wait, callback=self.ended)
            await self.send("open")

        def ended(self, task):
            reports("ended")
            self.send("the task has ended")

    with serve_either(Telling.as_view()).websocket("/") as session:
        assert session.receive() == "open"
    assert reports.next() == "ended"
    assert not caplog.records


def test_an_error_of_a_callback_is_told(serve_either, reports, caplog):
    class Failing(WebSocketHandler):
        async def on_message(self, message):
            self.start_task("nothing", asyncio.sleep, args=[0], callback=self.ended)

        def ended(self, task):
            raise LookupError

        def on_task_error(self, error):
            reports(type(error))

    with serve_either(Failing.as_view()).websocket("/") as session:
        session.send("x")
        assert reports.next() is LookupError
    assert not caplog.records


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not tell who is cancelled")
def test_a_cancelled_task_that_is_awaited_is_an_error(serve_either, reports, caplog):
    class Waiting(WebSocketHandler):
        async def on_message(self, message):
            task = self.start_task("wait", asyncio.Event().wait)
            asyncio.get_running_loop().call_soon(self.cancel_task, "wait")
            await task

        async def on_error(self, error):
            reports(type(error))

        async def on_close(self):
            reports((self.websocket.close_code, self.websocket.connected))

    session = serve_either(Waiting.as_view()).websocket("/")
    session.send("x")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    assert [reports.next(), reports.next()] == [asyncio.CancelledError, (1011, False)]
    session.close()
    assert [record.name for record in caplog.records] == ["django.request"]


def test_nothing_is_heard_behind_our_close(serve_either, reports):
    class Strict(WebSocketHandler):
        async def on_message(self, message):
            reports(message)
            self.close(4003)

    session = serve_either(Strict.as_view()).websocket("/")
    session.send("bad")
    with suppress(ConnectionClosed):  # the Close may be here already
        session.send("1")
        session.send("2")
    with pytest.raises(ConnectionClosed):
        session.receive()
    session.close()
    assert reports.all() == ["bad"]


@pytest.mark.parametrize("decorator", [require_websocket, accept_websocket])
@pytest.mark.parametrize("name", ["dispatch", "get"])
def test_async_methods_of_a_class_based_view(serve_either, decorator, name):
    @method_decorator(decorator, name=name)
    class Echo(View):
        async def get(self, request):
            async for message in request.websocket:
                await request.websocket.asend(message)

    with serve_either(Echo.as_view()).websocket("/") as session:
        session.send("hello")
        assert session.receive() == "hello"


@pytest.mark.parametrize(
    ("decorator", "status"), [(require_websocket, 400), (accept_websocket, 200)]
)
def test_plain_http_to_async_methods_of_a_class_based_view(site, decorator, status):
    @method_decorator(decorator, name="dispatch")
    class Both(View):
        async def get(self, request):
            return HttpResponse("plain")

    assert site.serve(Both.as_view()).get("/").status_code == status
