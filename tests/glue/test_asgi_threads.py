"""Under ASGI coroutines hold no thread, whatever middleware stood around their request."""

import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.utils.decorators import async_only_middleware

from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.asgi import MAX_HANDSHAKES
from dwebsocket.backends import view_threads

from .site import MIDDLEWARE, OURS, TIMEOUT, wait_until

CONNECTIONS = 20


def old(get_response):
    """Middleware of the old kind: nothing but a function."""

    def middleware(request):
        return get_response(request)

    return middleware


OLD = f"{__name__}.old"


@require_websocket
async def decorated(request):
    await (await request.auser()).arefresh_from_db()
    await request.websocket.asend("open")
    async for _ in request.websocket:
        pass


async def marked(request):
    await Group("nobody").asend("a thread sends it, and ends")
    await request.websocket.asend("open")
    async for _ in request.websocket:
        pass


marked.accept_websocket = True


class Handler(WebSocketHandler):
    async def on_open(self):
        await get_user_model().objects.acount()
        self.send("open")


class Mixed(WebSocketHandler):
    def on_open(self):
        get_user_model().objects.count()
        self.send("open")

    async def on_message(self, message):
        pass


class Asking(WebSocketHandler):
    """Its tasks ask the database, while the handler waits for messages."""

    asked = 0

    async def on_open(self):
        self.start_task("ask once", self.ask)
        self.start_task("ask often", self.sleep_loop, args=(self.ask, 0.2))

    async def ask(self):
        await get_user_model().objects.acount()
        self.asked += 1
        if self.asked == 3:
            self.send("open")


@require_websocket
def waiting(request):
    request.websocket.send(threading.current_thread().name)
    for _ in request.websocket:
        request.websocket.send(str(getattr(kept, "thread", None) == threading.get_ident()))


kept = threading.local()


def keeping(get_response):
    """Keeps something for the thread that runs it."""

    def middleware(request):
        kept.thread = threading.get_ident()
        try:
            return get_response(request)
        finally:
            del kept.thread

    return middleware


KEEPING = f"{__name__}.keeping"


@async_only_middleware
def coroutine(get_response):
    async def middleware(request):
        return await get_response(request)

    return middleware


COROUTINE = f"{__name__}.coroutine"

VIEWS = [decorated, marked, Handler.as_view(), Mixed.as_view(), Asking.as_view()]


def threads():
    return {thread for thread in threading.enumerate() if "dwebsocket" not in thread.name}


@pytest.mark.parametrize(
    "middleware",
    [
        [*MIDDLEWARE, OURS],
        [OURS, *MIDDLEWARE],
        [OLD, *MIDDLEWARE, OURS],
        [*MIDDLEWARE, OURS, OLD],
        [*MIDDLEWARE, OLD, OURS],
    ],
)
@pytest.mark.parametrize("view", VIEWS)
def test_no_thread_is_held(serve, user, view, middleware):
    client = serve(view, MIDDLEWARE=middleware)
    client.force_login(user)
    before = threads()
    sessions = [client.websocket("/") for _ in range(CONNECTIONS)]
    assert {session.receive() for session in sessions} == {"open"}
    wait_until(lambda: threads() <= before)
    for session in sessions:
        session.close()
    connections.close_all()


def test_a_handler_that_opens_does_not_wait_for_its_reader(serve, reports):
    """Otherwise some clients that read nothing would keep all others from opening."""

    class Flooding(WebSocketHandler):
        def on_open(self):
            go.wait(10)
            for _ in range(4):
                self.send("x" * 40_000)
            reports("open")

    go = threading.Event()
    session = serve(Flooding.as_view(), WEBSOCKET_SEND_TIMEOUT=2 * TIMEOUT).websocket("/")
    session.stop_reading()
    go.set()
    assert reports.next() == "open"
    session.read_on()
    assert [session.receive() for _ in range(4)] == ["x" * 40_000] * 4
    session.close()


def handshake_threads():
    return [t for t in threading.enumerate() if t.name == "dwebsocket-handshake"]


@pytest.mark.parametrize("middleware", [[KEEPING], [KEEPING, COROUTINE], [COROUTINE, KEEPING]])
def test_views_stay_in_the_threads_of_their_handshakes(serve, middleware):
    """More of them than handshakes are answered at the same time."""
    client = serve(waiting, MIDDLEWARE=middleware)
    sessions = [client.websocket("/") for _ in range(MAX_HANDSHAKES + 8)]
    assert {session.receive() for session in sessions} == {"dwebsocket-handshake"}
    for session in sessions:
        session.send("is it kept?")
    assert {session.receive() for session in sessions} == {"True"}
    for session in sessions:
        session.close()
    wait_until(lambda: view_threads.running == 0)
    wait_until(lambda: not handshake_threads())
