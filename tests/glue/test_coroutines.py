"""Coroutines on a server without an event loop: what each connection holds, and how many may be."""

import asyncio
import os
import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from dwebsocket import ConnectionClosed, WebSocketHandler, require_websocket
from dwebsocket.backends import view_threads
from dwebsocket.testing import WebSocketClient, WebSocketRefused

from .site import letting_go, wait_until


@require_websocket
async def view(request):
    await get_user_model().objects.acount()
    await request.websocket.asend("open")
    async for message in request.websocket:
        await request.websocket.asend(message)


class Handler(WebSocketHandler):
    def on_open(self):
        get_user_model().objects.count()
        self.send("open")

    async def on_message(self, message):
        await get_user_model().objects.acount()
        self.send(message)


both = pytest.mark.parametrize("view", [view, Handler.as_view()], ids=["view", "handler"])


def thread_names():
    return sorted(thread.name for thread in threading.enumerate())


def have_ended(*names):
    return not {f"dwebsocket-{name}" for name in names} & set(thread_names())


def count_open_databases():
    """How often this process has the database file open."""
    path = str(connections["default"].settings_dict["NAME"])
    found = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            found += os.readlink(f"/proc/self/fd/{name}") == path  # noqa: PTH115
        except FileNotFoundError:
            continue
    return found


@both
def test_an_idle_connection_holds_one_thread_and_no_database(site, view):
    site.serve(letting_go(view))
    connections.close_all()
    wait_until(lambda: have_ended("view", "sync", "waiting", "test"))  # those of another test
    before = count_open_databases()
    sessions = [WebSocketClient().websocket("/") for _ in range(3)]
    for session in sessions:
        assert session.receive() == "open"
        session.send("again")
        assert session.receive() == "again"
    wait_until(lambda: count_open_databases() == before)
    wait_until(lambda: "dwebsocket-sync" not in thread_names())
    wait_until(lambda: "dwebsocket-waiting" not in thread_names())
    assert thread_names().count("dwebsocket-view") == 3
    for session in sessions:
        session.close()
    wait_until(lambda: "dwebsocket-view" not in thread_names())


@both
def test_their_number_is_bounded(site, view):
    wait_until(lambda: not view_threads.running)  # of another test
    client = site.serve(letting_go(view), WEBSOCKET_VIEW_THREADS=1)
    with client.websocket("/") as session:
        assert session.receive() == "open"
        with pytest.raises(WebSocketRefused) as caught:
            client.websocket("/")
        assert caught.value.status_code == 503
        assert b"WEBSOCKET_VIEW_THREADS" in caught.value.content
    wait_until(lambda: "dwebsocket-view" not in thread_names())


@both
def test_without_such_threads_they_stay_with_the_server(site, view):
    view_threads.end_idle()  # of another test
    wait_until(lambda: "dwebsocket-view" not in thread_names())
    client = site.serve(letting_go(view), WEBSOCKET_VIEW_THREADS=0)
    with client.websocket("/") as session:
        assert session.receive() == "open"
        assert "dwebsocket-view" not in thread_names()


def test_what_a_coroutine_leaves_running_ends_with_it(site, reports):
    @require_websocket
    async def view(request):
        async def run_for_ever():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                reports("cancelled")
                raise

        view.task = asyncio.ensure_future(run_for_ever())
        await request.websocket.asend("open")
        await request.websocket.areceive()

    with site.serve(letting_go(view)).websocket("/") as session:
        assert session.receive() == "open"
        assert reports.all() == []
    assert reports.next() == "cancelled"


class Hanging(WebSocketHandler):
    async def on_message(self, message):
        await asyncio.Event().wait()

    def on_close(self):
        self.reports("over")


@pytest.mark.parametrize("kind", ["view", "handler", "tasks"])
def test_who_waits_for_something_else_is_cancelled_when_the_client_leaves(site, reports, kind):
    @require_websocket
    async def view(request):
        await request.websocket.areceive()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            reports("over")

    @require_websocket
    async def tasks(request):
        async def read():
            async for _ in request.websocket:
                pass

        try:
            await asyncio.gather(read(), asyncio.Event().wait())
        finally:
            reports("over")

    class Handler(Hanging):
        pass

    Handler.reports = staticmethod(reports)
    views = {"view": view, "handler": Handler.as_view(), "tasks": tasks}
    client = site.serve(letting_go(views[kind]), WEBSOCKET_CLOSE_TIMEOUT=0.1)
    with client.websocket("/") as session:
        session.send("go")
    assert reports.next() == "over"
    wait_until(lambda: "dwebsocket-view" not in thread_names())


@pytest.mark.parametrize("how", ["areceive", "for", "asend", "close", "aclose"])
def test_who_knows_of_the_end_has_its_time(site, reports, how):
    @require_websocket
    async def view(request):
        websocket = request.websocket
        if how == "areceive":
            await websocket.areceive()
        elif how == "for":
            async for _ in websocket:
                pass
        elif how == "asend":
            with pytest.raises(ConnectionClosed):  # noqa: PT012
                while True:
                    await websocket.asend("x")
                    await asyncio.sleep(0.001)
        elif how == "close":
            websocket.close()
        else:
            await websocket.aclose()
        await asyncio.sleep(2.5)  # longer than it takes to notice who does not know
        reports("done")

    client = site.serve(letting_go(view), WEBSOCKET_CLOSE_TIMEOUT=1)
    with client.websocket("/"):
        pass
    assert reports.next() == "done"
    wait_until(lambda: "dwebsocket-view" not in thread_names())
