"""What a WebSocket keeps of where its code goes on, and what a handler's refuses meanwhile."""

import asyncio

import pytest
from django.http import HttpResponse

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.exceptions import InvalidState

from ..raw_client import TEXT, build_frame
from .site import letting_go


def is_refused(function):
    try:
        function()
    except InvalidState as error:
        return "come to on_message()" in str(error)
    return False


def find_refusals(websocket):
    return [
        is_refused(websocket.wait),
        is_refused(lambda: websocket.wait(0)),
        is_refused(websocket.read),
        is_refused(lambda: iter(websocket)),
        is_refused(lambda: list(websocket)),
    ]


@pytest.mark.parametrize("legacy", [False, True])
def test_what_waits_in_a_batch_is_the_handlers(site, reports, legacy):
    class Handler(WebSocketHandler):
        def on_message(self, message):
            reports((message, self.websocket.count_messages(), find_refusals(self.websocket)))

    site.serve(letting_go(Handler.as_view()), WEBSOCKET_LEGACY=legacy)
    client = site.open()
    client.send_bytes(build_frame(TEXT, "a") + build_frame(TEXT, "b"))
    assert [reports.next(), reports.next()] == [("a", 1, [True] * 5), ("b", 0, [True] * 5)]
    client.send_close()
    client.read_close()


def test_nobody_waits_while_a_handler_opens_or_when_it_has_closed(site, reports):
    class Handler(WebSocketHandler):
        def on_open(self):
            reports((self.websocket.closed, find_refusals(self.websocket)))

        def on_close(self):
            self.websocket.close()  # nothing happens, and nothing is waited for
            reports((self.websocket.closed, find_refusals(self.websocket)))

    with site.serve(letting_go(Handler.as_view())).websocket("/"):
        assert reports.next() == (False, [True] * 5)
    assert reports.next() == (True, [True] * 5)


class Plain(WebSocketHandler):
    def on_message(self, message):
        self.send(str(self.websocket._runner))


class Async(WebSocketHandler):
    async def on_message(self, message):
        await self.send(str(self.websocket._runner))


@require_websocket
async def coroutine(request):
    await request.websocket.areceive()
    await request.websocket.asend(str(request.websocket._runner))


@pytest.mark.parametrize("view", [Plain.as_view(), Async.as_view(), coroutine])
def test_an_idle_connection_carries_no_runner(site, view):
    with site.serve(letting_go(view)).websocket("/") as session:
        session.send("?")
        assert session.receive() == "None"


@pytest.mark.parametrize("accepts", [False, True])
def test_a_view_that_has_ended_is_referred_to_by_nobody(site, reports, accepts):
    @accept_websocket(auto_accept=False)
    def view(request):
        if accepts:
            request.websocket.accept()
        view.websocket = request.websocket
        return HttpResponse()

    site.serve(view)
    client = site.connect()
    client.send_request("/")
    client.read_response()
    if accepts:
        client.send_close()
    client.read_to_eof()
    client.join()
    assert (view.websocket._runner, view.websocket._on_accept) == (None, None)


def test_an_async_handler_inside_of_a_coroutine_that_has_left(site):
    inner = Async.as_view()

    @require_websocket
    async def outer(request):
        await asyncio.to_thread(inner, request)

    with site.serve(letting_go(outer)).websocket("/") as session:
        session.send("?")
        assert session.receive() == "None"
