"""async def views that run tasks of their own, and what asgiref does for them in threads."""

import asyncio
import sys
import threading
import time

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model

from dwebsocket import ConnectionClosed, require_websocket
from dwebsocket.running import coroutines

from .site import TIMEOUT, wait_until


def thread_names():
    return [thread.name for thread in threading.enumerate()]


def test_a_view_whose_task_hears_of_the_end_is_cancelled(serve, reports):
    """The view itself waits for another task, which waits for ever."""

    @require_websocket
    async def view(request):
        async def read():
            async for _ in request.websocket:
                pass
            reports("the reader has ended")

        async def write():
            try:
                await asyncio.Event().wait()
            finally:
                reports("the writer has ended")

        await asyncio.gather(read(), write())

    session = serve(view, WEBSOCKET_CLOSE_TIMEOUT=0.1).websocket("/")
    session.close()
    assert [reports.next(), reports.next()] == ["the reader has ended", "the writer has ended"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is newer")
def test_the_end_of_the_connection_in_a_task_group_is_no_error(serve_either, reports, caplog):
    @require_websocket
    async def view(request):
        async def read():
            async for _ in request.websocket:
                pass
            reports("the reader has ended")

        async def tick():
            while True:
                await request.websocket.asend("tick")
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(tick())

    session = serve_either(view).websocket("/")
    assert session.receive() == "tick"
    session.close()
    assert reports.next() == "the reader has ended"
    assert not caplog.records


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is newer")
def test_another_error_beside_it_is_one(serve, caplog):
    @require_websocket
    async def view(request):
        raise ExceptionGroup("both", [ConnectionClosed(1000), LookupError("lost")])  # noqa: F821

    session = serve(view).websocket("/")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.join()
    assert [record.name for record in caplog.records] == ["django.request"]


def test_a_query_goes_on_while_another_task_receives(serve_either, user):
    """Who waits for a message gives the thread back only if nobody else is using it."""

    @require_websocket
    async def view(request):
        websocket, go_on = request.websocket, asyncio.Event()

        async def send_users():
            async for found in get_user_model().objects.order_by("pk").aiterator(chunk_size=1):
                await websocket.asend(found.username)
                await go_on.wait()
                go_on.clear()
            await websocket.asend("end")

        sending = asyncio.create_task(send_users())
        async for _ in websocket:
            await get_user_model().objects.acount()
            go_on.set()
        await sending

    others = [get_user_model().objects.create(username=name) for name in ("bob", "cid")]
    try:
        with serve_either(view).websocket("/") as session:
            for name in ("ada", "bob", "cid"):
                assert session.receive() == name
                session.send("next")
            assert session.receive() == "end"
    finally:
        for other in others:
            other.delete()


def test_a_view_that_only_pushes_gives_its_thread_back(serve, monkeypatch):
    monkeypatch.setattr(coroutines, "PATIENCE", 0.1)

    @require_websocket
    async def view(request):
        await get_user_model().objects.acount()
        await request.websocket.asend("counted")
        await asyncio.Event().wait()

    session = serve(view, WEBSOCKET_CLOSE_TIMEOUT=0).websocket("/")
    assert session.receive() == "counted"
    wait_until(lambda: "dwebsocket-sync" not in thread_names())
    session.close()


def test_another_loop_uses_it_through_a_thread(serve):
    """async_to_sync in a synchronous view makes a loop of its own."""

    @require_websocket
    def view(request):
        websocket = request.websocket
        while (message := async_to_sync(websocket.areceive)()) is not None:
            async_to_sync(websocket.asend)(message)
            if message == "the last":
                async_to_sync(websocket.aclose)(4001)

    with serve(view).websocket("/") as session:
        for message in ("a", "b" * 100_000, "the last"):
            session.send(message)
            assert session.receive() == message
        with pytest.raises(ConnectionClosed) as caught:
            session.receive()
        assert caught.value.code == 4001


def test_a_thread_that_waits_for_an_async_view_is_told_at_once(serve, loop):
    @require_websocket
    async def view(request):
        for _ in range(3):
            message = await sync_to_async(request.websocket.wait)(TIMEOUT)
            await request.websocket.asend(message)

    taken = []
    with serve(view).websocket("/") as session:
        for _ in range(3):
            started = time.monotonic()
            session.send("a")
            assert session.receive() == "a"
            taken.append(time.monotonic() - started)
    assert min(taken) < 0.9  # FairTurns would take a second, each time


def test_what_the_server_says_of_the_end_counts(serve, reports):
    """The client has closed; who sends just then hears with what code."""

    @require_websocket
    async def view(request):
        websocket = request.websocket
        await websocket.areceive()
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.asend("too late")
        reports((caught.value.code, caught.value.reason, websocket.close_code))

    session = serve(view).websocket("/")
    session.broken = True
    session.send("go")
    session.put_event({"type": "websocket.disconnect", "code": 4001, "reason": "bye"})
    assert reports.next() == (4001, "bye", 4001)
    session.join()


def test_many_small_messages_do_not_hide_the_end(serve, reports):
    """A page's signs of life, to a view that only sends."""

    @require_websocket
    async def view(request):
        try:
            while True:
                await request.websocket.asend("tick")
                await asyncio.sleep(0.01)
        except ConnectionClosed as closed:
            reports(closed.code)

    session = serve(view).websocket("/")
    for _ in range(1000):
        session.send("beat")
    session.put_event({"type": "websocket.disconnect", "code": 4001})
    assert reports.next() == 4001
    session.join()


def test_a_coroutine_that_never_lets_the_loop_run_is_stopped(serve, reports):
    @require_websocket
    async def view(request):
        for sent in range(1000):
            try:
                request.websocket.send("x" * 10_000)
            except ConnectionClosed as closed:
                reports((closed.code, sent))
                return

    session = serve(view, WEBSOCKET_MAX_SEND_BUFFER=100_000).websocket("/")
    code, sent = reports.next()
    assert code == 1013
    assert 10 < sent < 100
    session.close()
