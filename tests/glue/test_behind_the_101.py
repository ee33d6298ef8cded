"""What the system refuses: said before the 101, or behind it by a Close, never by HTTP."""

import errno
import os
from contextlib import suppress
from types import SimpleNamespace

import pytest

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.backends import loop_thread, view_threads
from dwebsocket.backends.default.servers import WsgirefTakeover
from dwebsocket.backends.sockets import detaching, sweeper
from dwebsocket.transports import detach, thread_loop

from .site import letting_go, wait_until


@require_websocket
def view(request):
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket
async def coroutine(request):
    async for message in request.websocket:
        await request.websocket.asend(message)


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send(message)


VIEWS = {"view": view, "coroutine": coroutine, "handler": Handler.as_view()}
IN_THREADS = ["view", "coroutine"]

kinds = pytest.mark.parametrize("kind", VIEWS)
in_threads = pytest.mark.parametrize("kind", IN_THREADS)
leaving = pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])


@pytest.fixture
def serve(site, monkeypatch):
    """Serve one of the views, on a server with few threads or on one that keeps connections."""

    def start(kind, leaves=True):
        if leaves:
            few = property(lambda takeover: True)
            monkeypatch.setattr(WsgirefTakeover, "few_threads", few)
        site.serve(letting_go(VIEWS[kind]) if leaves else VIEWS[kind])
        client = site.open()  # what a process opens once it has opened now
        client.send_text("hello")
        assert client.read_text() == "hello"
        client.send_close()
        client.read_close()
        client.read_to_eof()
        client.join()
        wait_until(lambda: (sweeper.count(), view_threads.running) == (0, 0))

    yield start
    wait_until(lambda: (sweeper.count(), view_threads.running) == (0, 0))


def fail_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def full():
    return OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def check_refused(site, words):
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    assert response.status == 503
    assert words in response.body.decode()
    assert client.read_to_eof() == b""


@kinds
def test_no_descriptor_for_a_copy_of_it(site, serve, monkeypatch, kind):
    serve(kind)
    for name in ("threads", "gevent", "eventlet"):
        monkeypatch.setattr(f"dwebsocket.transports.{name}.duplicate", fail_with(full()))
    check_refused(site, "descriptors")


@in_threads
def test_no_thread(site, serve, monkeypatch, kind):
    serve(kind)
    error = RuntimeError("can't start new thread")
    monkeypatch.setattr(view_threads, "start_in_thread", fail_with(error))
    view_threads.end_idle()
    check_refused(site, "no further thread")


def test_no_descriptors_for_an_event_loop(site, serve, monkeypatch):
    serve("coroutine")
    monkeypatch.setattr(loop_thread, "asyncio", SimpleNamespace(new_event_loop=fail_with(full())))
    check_refused(site, "descriptors")


@kinds
@leaving
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_fails_behind_the_101(site, serve, monkeypatch, kind, leaves):
    serve(kind, leaves)
    monkeypatch.setattr(sweeper, "add", fail_with(RuntimeError("can't start new thread")))
    client = site.open()
    assert client.read_close().close_code == 1011
    with suppress(OSError):  # in a coroutine nobody waits for the answer
        client.send_close(1011)
    assert client.read_to_eof() == b""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_event_loop_that_cannot_run(site, serve, monkeypatch):
    serve("coroutine")
    monkeypatch.setattr(detaching, "run_in_loop", fail_with(full()))
    client = site.open()
    assert client.read_close().close_code == 1011
    assert client.read_to_eof() == b""


def test_the_system_watches_no_further_descriptor(site, serve, monkeypatch):
    serve("handler")
    loop = thread_loop.get_loop()
    poller = type("Full", (), {"register": fail_with(OSError(errno.ENOSPC, "no space"))})()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_poller", poller)
        client = site.open()
        assert client.read_to_eof() == b""
        client.join()
    assert sweeper.count() == 0


def test_copies_keep_out_of_what_is_left_to_others(monkeypatch):
    wait_until(lambda: sweeper.count() == 0)  # what another test has left
    monkeypatch.setattr("dwebsocket.transports.detach.find_share", lambda: detach.ABOVE_SELECT + 1)
    first = detach.duplicate(0, detach.ABOVE_SELECT)
    second = detach.duplicate(0, detach.ABOVE_SELECT)
    os.close(first)
    os.close(second)
    assert first == detach.ABOVE_SELECT
    assert second < detach.ABOVE_SELECT
