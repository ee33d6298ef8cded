"""async def views: areceive, asend, aclose, async for."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.views import View

from dwebsocket import ConnectionClosed, accept_websocket, require_websocket
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS


async def echo(request):
    async for message in request.websocket:
        await request.websocket.asend(message)


class Echo(View):
    async def get(self, request):
        await echo(request)
        return HttpResponse()


VIEWS = [
    require_websocket(echo),
    require_websocket(auto_accept=True)(echo),
    require_websocket(accept_websocket(echo)),
    require_websocket(Echo.as_view()),
]


@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS]])
@pytest.mark.parametrize("view", VIEWS)
def test_echo(serve_either, caplog, view, middleware):
    with serve_either(view, MIDDLEWARE=middleware).websocket("/") as websocket:
        for message in ("text", b"binary", "\u20ac"):
            websocket.send(message)
            assert websocket.receive() == message
    assert caplog.records == []


def marked(request):
    return echo(request)


async def marked_async(request):
    await echo(request)


marked_async.accept_websocket = True


def test_undecorated_async_view_below_the_middleware(serve_either):
    with serve_either(marked_async, MIDDLEWARE=[OURS]).websocket("/") as websocket:
        websocket.send("hello")
        assert websocket.receive() == "hello"


def test_accept_all_async_view(serve_either):
    client = serve_either(echo, MIDDLEWARE=[OURS], WEBSOCKET_ACCEPT_ALL=True)
    with client.websocket("/") as websocket:
        websocket.send("hello")
        assert websocket.receive() == "hello"


def test_areceive(serve_either, reports):
    @require_websocket
    async def view(request):
        websocket = request.websocket
        with pytest.raises(TimeoutError):
            await websocket.areceive(0.01)
        await websocket.asend("go")
        reports(await websocket.areceive(10))
        reports(await websocket.areceive())
        with pytest.raises(ConnectionClosed):
            await websocket.areceive()
        reports("raised")

    with serve_either(view).websocket("/") as websocket:
        assert websocket.receive() == "go"
        websocket.send("one")
    assert reports.all() == ["one", None, "raised"]


def test_aclose(serve_either):
    @require_websocket
    async def view(request):
        await request.websocket.aclose(4001, "over")

    with serve_either(view).websocket("/") as websocket:
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "over")


def test_the_event_loop_runs_while_a_view_receives(serve_either):
    @require_websocket
    async def view(request):
        async def push():
            for number in range(3):
                await request.websocket.asend(str(number))
                await asyncio.sleep(0)

        receiving = asyncio.ensure_future(request.websocket.areceive())
        await push()
        await request.websocket.asend(await receiving)

    with serve_either(view).websocket("/") as websocket:
        assert [websocket.receive() for _ in range(3)] == ["0", "1", "2"]
        websocket.send("after the pushes")
        assert websocket.receive() == "after the pushes"


def test_error_is_1011(serve_either, caplog):
    @require_websocket
    async def view(request):
        raise LookupError

    with serve_either(view).websocket("/") as websocket:
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
        assert caught.value.code == 1011
    assert [record.name for record in caplog.records] == ["django.request"]


def test_connection_closed_may_escape(serve_either, caplog):
    @require_websocket
    async def view(request):
        while True:
            await request.websocket.areceive()

    with serve_either(view).websocket("/"):
        pass
    assert caplog.records == []


def test_plain_http(serve_either):
    @accept_websocket
    async def view(request):
        return HttpResponse(f"plain {request.is_websocket()}")

    assert serve_either(view).get("/").content == b"plain False"
    assert serve_either(require_websocket(echo)).get("/").status_code == 400


def test_refused_and_accepted_by_the_view(serve_either):
    @require_websocket(auto_accept=False)
    async def view(request):
        if "no" in request.GET:
            return HttpResponse("no", status=403)
        await sync_to_async(request.websocket.accept)()
        await request.websocket.asend("yes")
        return None

    client = serve_either(view)
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/?no")
    assert (caught.value.status_code, caught.value.content) == (403, b"no")
    with client.websocket("/") as websocket:
        assert websocket.receive() == "yes"


def test_bad_handshake_is_refused(site):
    site.serve(require_websocket(echo))
    client = site.connect()
    client.send_request("/", headers={"Sec-WebSocket-Version": "8"})
    assert client.read_response().status == 426


def test_a_peer_slow_to_close_does_not_hold_up_the_loop(site, reports):
    """The closing handshake waits in a thread of its own, not in the event loop's."""
    loops = []

    @require_websocket
    async def view(request):
        loops.append(threading.get_ident())
        websocket = request.websocket
        close = websocket.close

        def watched(*args):
            reports(threading.get_ident())
            close(*args)

        websocket.close = watched

    with site.serve(view).websocket("/"):
        assert reports.next() != loops[0]


def test_a_wait_that_is_cancelled_takes_no_message_along(serve_either):
    """asyncio's own time-outs are as good as ours."""

    @require_websocket
    async def view(request):
        websocket = request.websocket
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(websocket.areceive(), 0.01)
        await websocket.asend("go")
        async for message in websocket:
            await websocket.asend(message)

    with serve_either(view).websocket("/") as websocket:
        assert websocket.receive() == "go"
        for message in ("a", b"b"):
            websocket.send(message)
            assert websocket.receive() == message


def test_two_coroutines_receive(serve_either):
    """Each message goes to one of them."""

    @require_websocket
    async def view(request):
        async def echo():
            async for message in request.websocket:
                await request.websocket.asend(message)

        await asyncio.gather(echo(), echo())

    with serve_either(view).websocket("/") as websocket:
        for number in range(6):
            websocket.send(str(number))
        assert {websocket.receive() for _ in range(6)} == set("012345")


def test_another_coroutine_sends_and_looks_meanwhile(serve_either):
    """What it notices in passing wakes the one that receives."""

    @require_websocket
    async def view(request):
        websocket = request.websocket

        async def push():
            while not websocket.closed:
                await websocket.asend("tick")
                websocket.has_messages()
                await asyncio.sleep(0.005)

        pushing = asyncio.ensure_future(push())
        async for message in websocket:
            await websocket.asend(message)
        await asyncio.wait([pushing])

    with serve_either(view).websocket("/") as websocket:
        for number in range(3):
            websocket.send(str(number))
            while websocket.receive() != str(number):
                pass


def test_another_coroutine_closes(serve_either, reports):
    @require_websocket
    async def view(request):
        websocket = request.websocket
        asyncio.get_running_loop().call_later(0.01, websocket.close, 4001, "over")
        reports(await websocket.areceive())
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.areceive()
        reports((caught.value.code, websocket.closed, websocket.connected))

    with serve_either(view).websocket("/") as websocket:
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "over")
    assert [reports.next(), reports.next()] == [None, (4001, True, False)]


@pytest.fixture
def impatient(serve):
    """Whoever does not notice the end is cancelled at once."""
    return lambda view: serve(view, WEBSOCKET_CLOSE_TIMEOUT=0).websocket("/")


@pytest.mark.parametrize("how", ["close", "aclose", "asend"])
def test_who_knows_of_the_end_is_not_cancelled(impatient, reports, how):
    @require_websocket
    async def view(request):
        websocket = request.websocket
        if how == "asend":
            await websocket.areceive()
            with pytest.raises(ConnectionClosed):
                await websocket.asend("too late")
        elif how == "aclose":
            await websocket.aclose()
        else:
            websocket.close()
        await asyncio.sleep(0.1)
        reports("done")

    session = impatient(view)
    if how == "asend":
        session.broken = True
        session.send("go")
    else:
        with pytest.raises(ConnectionClosed):
            session.receive()
    session.join()
    assert reports.next() == "done"


def test_who_does_not_notice_the_end_is_cancelled_once(impatient, reports):
    """What it has to do then has its time."""

    @require_websocket
    async def view(request):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            reports("cleaned up")

    session = impatient(view)
    session.put_event({"type": "websocket.disconnect", "code": 1000})
    assert reports.next() == "cleaned up"
    session.join()


@pytest.mark.parametrize("how", ["close", "aclose", "asend"])
def test_who_hears_nothing_of_what_others_do_is_cancelled(impatient, reports, how):
    """Others may close the connection, or find it closed: the view still waits for something."""
    shared = []

    @require_websocket
    async def view(request):
        shared.append(request.websocket)
        try:
            await asyncio.sleep(60)
        finally:
            reports("cancelled")

    async def act():
        while not shared:
            await asyncio.sleep(0.001)
        if how == "asend":
            with pytest.raises(ConnectionClosed):
                await shared[0].asend("too late")
        elif how == "aclose":
            await shared[0].aclose()
        else:
            shared[0].close()

    session = impatient(view)
    session.broken = how == "asend"
    session.run(act())
    assert reports.next() == "cancelled"
    session.join()
