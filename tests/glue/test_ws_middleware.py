"""``WS_MIDDLEWARE``: what is put around the life of an async handler."""

import asyncio
from contextlib import suppress

import pytest
from django.core.exceptions import ImproperlyConfigured

from dwebsocket import ConnectionClosed, WebSocketHandler
from dwebsocket.testing import WebSocketRefused

calls = []


def named(name):
    """Middleware of functions: it notes when it is made, and what it surrounds."""

    def factory(func):
        calls.append(f"make {name}")

        async def middleware(ws):
            calls.append(f"enter {name}")
            await func(ws)
            calls.append(f"leave {name}")

        return middleware

    return factory


outer, inner = named("outer"), named("inner")


def closing(func):
    async def middleware(ws):
        calls.append(ws.connected)
        await ws.close(4003, "not you")

    return middleware


def silent(func):
    async def middleware(ws):
        return None

    return middleware


def starting(func):
    """Starts a task, and does not go on."""

    async def middleware(ws):
        async def wait_for_ever():
            try:
                await asyncio.Event().wait()
            finally:
                calls.append("task ended")

        ws.start_task("wait", wait_for_ever)
        await asyncio.sleep(0)

    return middleware


def failing_before(func):
    async def middleware(ws):
        raise LookupError("before")

    return middleware


def failing_after(func):
    async def middleware(ws):
        await func(ws)
        raise LookupError("after")

    return middleware


def swallowing(func):
    async def middleware(ws):
        with suppress(LookupError):
            await func(ws)

    return middleware


def catching(func):
    async def middleware(ws):
        try:
            await func(ws)
        except Exception as error:
            calls.append(f"caught {error}")
            raise

    return middleware


class Echo(WebSocketHandler):
    async def on_open(self):
        calls.append("open")
        self.send("open")

    async def on_message(self, message):
        self.send(message)

    async def on_close(self):
        calls.append("close")


@pytest.fixture
def serve_within(serve_either):
    calls.clear()

    def serve(*names, view=Echo):
        paths = [f"{__name__}.{name}" for name in names]
        return serve_either(view.as_view(), WS_MIDDLEWARE=paths)

    return serve


def test_the_first_is_the_outermost(serve_within):
    from dwebsocket.upgrade.async_handler import wrap

    wrap.cache_clear()
    client = serve_within("outer", "inner")
    with client.websocket("/") as session:
        assert session.receive() == "open"
    once = ["enter outer", "enter inner", "open", "close", "leave inner", "leave outer"]
    assert calls == ["make inner", "make outer", *once]
    with client.websocket("/") as session:
        assert session.receive() == "open"
    assert calls == ["make inner", "make outer", *once, *once]


def test_it_closes_instead(serve_within):
    session = serve_within("outer", "closing").websocket("/")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert (caught.value.code, caught.value.reason) == (4003, "not you")
    session.close()
    assert calls[-3:] == ["enter outer", True, "leave outer"]


@pytest.mark.parametrize("name", ["silent", "starting"])
def test_it_does_not_go_on(serve_within, name):
    session = serve_within(name).websocket("/")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1000
    session.close()
    assert calls == (["task ended"] if name == "starting" else [])


@pytest.mark.parametrize("name", ["failing_before", "failing_after"])
def test_it_fails(serve_within, caplog, name):
    session = serve_within(name).websocket("/")
    if name == "failing_after":
        assert session.receive() == "open"
        session.close()
    else:
        with pytest.raises(ConnectionClosed) as caught:
            session.receive()
        assert caught.value.code == 1011
        session.close()
    [record] = caplog.records
    assert (record.name, record.exc_info[0]) == ("django.request", LookupError)


@pytest.mark.parametrize("swallows", [False, True])
def test_it_sees_what_the_handler_has_raised(serve_within, caplog, swallows):
    """After ``on_error()`` and ``on_close()``; it is logged once."""

    class Failing(Echo):
        async def on_message(self, message):
            raise LookupError(message)

        async def on_error(self, error):
            calls.append(f"error {error}")

    names = ["swallowing", "catching"] if swallows else ["catching"]
    session = serve_within(*names, view=Failing).websocket("/")
    session.send("that")
    assert session.receive() == "open"
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    assert calls == ["open", "error that", "close", "caught that"]
    [record] = caplog.records
    assert record.exc_info[0] is LookupError


def test_a_departure_is_no_error(serve_within, caplog):
    class Slow(Echo):
        async def on_message(self, message):
            await self.websocket.aclose(4000)
            await self.websocket.asend("too late")

    session = serve_within("catching", view=Slow).websocket("/")
    session.send("go")
    session.close()
    assert calls == ["open", "close"]
    assert not caplog.records


def test_one_that_is_not_there(serve_within, caplog):
    """Told before anything is accepted."""
    with pytest.raises(WebSocketRefused) as caught:
        serve_within("outer", "nowhere").websocket("/")
    assert caught.value.status_code == 500
    assert caplog.records[0].exc_info[0] is ImproperlyConfigured
    assert "WS_MIDDLEWARE holds" in str(caplog.records[0].exc_info[1])
    assert "open" not in calls


def test_handlers_without_a_coroutine_know_nothing_of_it(serve_within):
    class Plain(WebSocketHandler):
        def on_open(self):
            self.send("open")

    with serve_within("closing", view=Plain).websocket("/") as session:
        assert session.receive() == "open"
    assert calls == []
