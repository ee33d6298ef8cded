"""Under ASGI: what has come before the end is read, and what waits to be sent leaves in order."""

import asyncio
import threading
import time

import pytest

from dwebsocket import ConnectionClosed, Group, WebSocketHandler, require_websocket
from dwebsocket.backends.asgi.inbox import Inbox
from dwebsocket.exceptions import InvalidState
from dwebsocket.groups import get_counts
from dwebsocket.protocol.budget import MESSAGE_COST, RESERVE

from .site import wait_until


@pytest.fixture(params=["handler", "async handler", "view", "async view"])
def reader(request, reports):
    """A view or handler that reports what it reads, once the event ``go`` is set."""
    go = threading.Event()

    class Handler(WebSocketHandler):
        def on_message(self, message):
            go.wait(10)
            reports(message)

        def on_close(self):
            reports(("end", self.websocket.close_code))

    class AsyncHandler(Handler):
        async def on_message(self, message):
            await wait_for_go()
            reports(message)

    async def wait_for_go():
        while not go.is_set():
            await asyncio.sleep(0.005)

    @require_websocket
    def view(request):
        go.wait(10)
        for message in request.websocket:
            reports(message)
        reports(("end", request.websocket.close_code))

    @require_websocket
    async def async_view(request):
        await wait_for_go()
        async for message in request.websocket:
            reports(message)
        reports(("end", request.websocket.close_code))

    made = {
        "handler": Handler.as_view(),
        "async handler": AsyncHandler.as_view(),
        "view": view,
        "async view": async_view,
    }[request.param]
    made.go = go
    return made


def test_messages_before_the_clients_close(serve, reports, reader):
    session = serve(reader).websocket("/")
    for message in ("a", b"b", "c"):
        session.send(message)
    session.put_event({"type": "websocket.disconnect", "code": 4001})
    wait_until(session.incoming.empty)
    reader.go.set()
    assert [reports.next() for _ in range(4)] == ["a", b"b", "c", ("end", 4001)]
    session.join()


class Closing(WebSocketHandler):
    """Closes at the first message, in the way that the address names."""

    async def on_message(self, message):
        self.reports(message)
        while self.websocket.count_messages() < 1:
            await asyncio.sleep(0.005)
        how = self.kwargs["how"]
        if how == "awaited":
            await self.close(4000)
        elif how == "aclose":
            await self.websocket.aclose(4000)
        else:
            self.close(4000)

    async def on_close(self):
        self.reports(self.websocket.close_code)


@pytest.mark.parametrize("how", ["awaited", "not awaited", "aclose"])
def test_messages_behind_our_close_are_thrown_away(serve, reports, how):
    from django.urls import path

    class Here(Closing):
        pass

    Here.reports = staticmethod(reports)
    session = serve(Here.as_view(), path("<str:how>/", Here.as_view())).websocket(f"/{how}/")
    for message in "abc":
        session.send(message)
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 4000
    session.close()
    assert [reports.next(), reports.next()] == ["a", 4000]
    assert reports.all() == []


def test_who_is_cancelled_while_waiting_takes_no_message_along(serve):
    """A task's end, in the middle of a wait for others' messages, holds none of them up."""
    started = threading.Event()

    class Sending(WebSocketHandler):
        async def on_message(self, message):
            for number in range(5):
                self.send(f"{number}")
            self.start_task("waiting", self.wait_until_sent)
            await asyncio.sleep(0)
            self.cancel_task("waiting")
            self.start_task("waiting", self.wait_until_sent)
            started.set()

        async def wait_until_sent(self):
            await self.send("mine")

    session = serve(Sending.as_view()).websocket("/")
    session.send("go")
    assert started.wait(10)
    found = [session.receive() for _ in range(7)]
    assert found == ["0", "1", "2", "3", "4", "mine", "mine"]
    session.close()


def test_a_thread_that_waits_for_room_hears_of_what_a_coroutine_sends_for_it(serve):
    """Who awaits a delivery late may find a thread's message in the queue, and sends that."""

    class Sending(WebSocketHandler):
        async def on_message(self, message):
            delivery = self.send("mine")
            while self.websocket._outbox.cost:
                await asyncio.sleep(0.001)
            thread = threading.Thread(target=self.websocket.send, args=("x" * 100_000,))
            thread.start()
            while self.websocket._outbox.cost < 100_000:
                time.sleep(0.001)  # the loop must not come to it before us
            await delivery
            await asyncio.to_thread(thread.join, 10)
            await self.send(f"waits: {thread.is_alive()}")

    with serve(Sending.as_view()).websocket("/") as session:
        session.send("go")
        assert session.receive() == "mine"
        assert session.receive() == "x" * 100_000
        assert session.receive() == "waits: False"


@pytest.mark.parametrize("size", [0, 10, 1000])
def test_what_waits_is_bounded_however_small_it_is(serve, size):
    @require_websocket
    async def view(request):
        Group("all").add(request.websocket)
        await request.websocket.asend("in")
        await request.websocket.areceive()

    bound = 200_000
    with serve(view, WEBSOCKET_MAX_SEND_BUFFER=bound).websocket("/") as session:
        assert session.receive() == "in"
        session.stop_reading()
        slow = get_counts().slow
        sent = 0
        while get_counts().slow == slow:
            Group("all").send("x" * size)
            sent += 1
            assert sent < 100_000, "nothing bounds what waits"
        session.read_on()
        events = iter(session.next_event, None)
        closed = next(event for event in events if event["type"] == "websocket.close")
        assert closed["code"] == 1013


def test_a_loop_that_stands_still_makes_nobody_a_slow_reader(serve):
    """What it has had no time to send it sends then."""
    texts = [f"{number:010}" * 1000 for number in range(30)]

    @require_websocket
    async def view(request):
        group = Group("all")
        group.add(request.websocket)
        for text in texts:
            group.send(text)
        asyncio.get_running_loop().call_soon(time.sleep, 0.2)  # before anything is sent
        await request.websocket.asend(await request.websocket.areceive())

    with serve(view, WEBSOCKET_MAX_SEND_BUFFER=100_000).websocket("/") as session:
        assert [session.receive() for _ in texts] == texts
        session.send("still here")
        assert session.receive() == "still here"


@pytest.mark.parametrize("call", ["wait", "wait_json", "list"])
def test_a_coroutine_does_not_block_the_loop(serve, reports, call):
    """It would never end: what it waits for has to come through the loop."""

    @require_websocket
    async def view(request):
        websocket = request.websocket
        with pytest.raises(InvalidState, match=r"await request\.websocket\.areceive\(\)"):
            list(websocket) if call == "list" else getattr(websocket, call)()
        with pytest.raises(InvalidState, match=r"await request\.websocket\.areceive\(\)"):
            websocket.wait(timeout=10)
        assert websocket.read("nothing") == "nothing"
        await websocket.asend("checked")
        reports(await websocket.areceive())

    with serve(view).websocket("/") as session:
        assert session.receive() == "checked"
        session.send("a")
        assert reports.next() == "a"


def test_a_view_that_looks_and_reads_nothing_is_not_filled(serve, reports):
    """What it does not read stays with the server, and so with the client."""

    @require_websocket
    def view(request):
        while not stop.wait(0.001):
            reports(request.websocket.count_messages())
        for message in request.websocket:
            reports(message)

    stop = threading.Event()
    session = serve(view, WEBSOCKET_MAX_MESSAGE_SIZE=1000).websocket("/")
    for number in range(1000):
        session.send(str(number))
    while reports.next() <= 60:
        pass
    for _ in range(50):
        assert reports.next() <= (1000 + RESERVE) // MESSAGE_COST
    assert not session.incoming.empty()
    stop.set()
    while isinstance(first := reports.next(), int):
        pass
    assert [first, *(reports.next() for _ in range(999))] == [str(one) for one in range(1000)]
    session.close()


class Last(WebSocketHandler):
    """Sends what is not taken, and ends slowly."""

    def on_message(self, message):
        self.calls(message)
        if message == "1":
            self.send("answer")

    def on_close(self):
        self.calls("on_close")
        self.go.wait(10)
        self.calls("on_close ends")


def test_nothing_is_called_behind_the_end(serve, reports):
    """The client is still heard, but takes nothing any more."""
    Last.calls, Last.go = staticmethod(reports), threading.Event()
    session = serve(Last.as_view()).websocket("/")
    session.broken = True
    session.send("1")
    assert [reports.next(), reports.next()] == ["1", "on_close"]
    session.send("2")
    Last.go.set()
    assert reports.next() == "on_close ends"
    session.join()
    assert reports.all() == []


def test_what_comes_just_before_the_end_is_called_before_it(serve, reports, monkeypatch):
    """The thread of the calls has found nothing, and is switched before it asks for the end."""
    take, looked, go = Inbox.take, threading.Event(), threading.Event()

    def take_slowly(inbox):
        message = take(inbox)
        if message is None and threading.current_thread().name == "dwebsocket-handler":
            looked.set()
            go.wait(10)
        return message

    class Handler(WebSocketHandler):
        def on_message(self, message):
            reports(message)

        def on_close(self):
            reports("on_close")

    session = serve(Handler.as_view()).websocket("/")
    monkeypatch.setattr(Inbox, "take", take_slowly)
    session.send("first")
    assert looked.wait(10)
    session.send("last")
    session.put_event({"type": "websocket.disconnect", "code": 1000})
    wait_until(session.incoming.empty)
    go.set()
    assert [reports.next() for _ in range(3)] == ["first", "last", "on_close"]
    session.join()


@pytest.mark.parametrize("call", ["send", "asend"])
def test_text_that_cannot_be_encoded_is_told_to_who_sends(serve, call):
    """As on any other server: the connection goes on."""

    @require_websocket
    async def view(request):
        try:
            if call == "send":
                request.websocket.send("\ud800")
            else:
                await request.websocket.asend("\ud800")
        except UnicodeEncodeError:
            await request.websocket.asend("refused")

    with serve(view).websocket("/") as session:
        assert session.receive() == "refused"
