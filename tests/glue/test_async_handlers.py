"""Handlers with ``async def`` methods: the calls are those of plain ones, in an event loop."""

import asyncio
import gc
import threading
import weakref
from contextvars import ContextVar

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpResponse
from django.urls import path
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from dwebsocket import (
    ConnectionClosed,
    Group,
    JsonWebSocketHandler,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE, OURS, wait_until


class Echo(WebSocketHandler):
    subprotocols = ("echo",)

    async def on_message(self, message):
        await self.send(message)


@pytest.fixture
def reporting(reports):
    """A handler that reports each of its calls."""

    class Reporting(Echo):
        async def on_open(self):
            reports("open")

        async def on_message(self, message):
            reports(message)
            await super().on_message(message)

        async def on_error(self, error):
            reports(type(error).__name__)

        async def on_close(self):
            reports(("close", self.websocket.close_code, self.connected, self.closed))

    return Reporting


def test_the_calls_of_a_conversation(serve_either, reports, reporting, caplog):
    with serve_either(reporting.as_view()).websocket("/") as session:
        for message in ("a", b"\0\xff", "", b"", "\u20ac"):
            session.send(message)
            assert session.receive() == message
    calls = ["open", "a", b"\0\xff", "", b"", "\u20ac", ("close", 1000, False, True)]
    assert [reports.next() for _ in calls] == calls
    assert reports.all() == []
    assert caplog.records == []


def test_plain_and_async_methods_in_one_class(serve_either, reports):
    """Plain ones run in a thread, where they may ask the database."""
    threads = {}

    class Base(WebSocketHandler):
        def on_open(self):
            threads["open"] = threading.get_ident()
            self.count = get_user_model().objects.count()

        def on_close(self):
            reports(get_user_model().objects.count() == self.count)

    class Mixed(Base):
        async def on_message(self, message):
            threads["message"] = threading.get_ident()
            self.send(f"{message} {self.count}")

    with serve_either(Mixed.as_view()).websocket("/") as session:
        session.send("hello")
        count = get_user_model().objects.count()
        assert session.receive() == f"hello {count}"
    assert reports.next() is True
    assert threads["open"] != threads["message"]


def test_what_is_not_awaited_leaves_in_order(serve_either):
    class Sending(WebSocketHandler):
        async def on_message(self, message):
            for number in range(50):
                delivery = self.send(str(number))
                if number % 7 == 0:
                    await delivery
            self.send_json({"last": True})

    with serve_either(Sending.as_view()).websocket("/") as session:
        session.send("go")
        assert [session.receive() for _ in range(50)] == [str(n) for n in range(50)]
        assert session.receive_json() == {"last": True}


def test_sending_to_a_closed_connection_is_told(serve_either, reports, caplog):
    class Sending(WebSocketHandler):
        async def on_open(self):
            self.close(4001, "enough")
            self.close(4002)
            for call in (lambda: self.send("x"), lambda: self.send_json(1)):
                try:
                    call()
                except ConnectionClosed as error:
                    reports((error.code, error.reason))

        async def on_close(self):
            reports(self.websocket.close_code)
            self.send("too late")

    session = serve_either(Sending.as_view()).websocket("/")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert (caught.value.code, caught.value.reason) == (4001, "enough")
    session.close()
    assert [reports.next() for _ in range(3)] == [(4001, "enough")] * 2 + [4001]
    assert reports.all() == []
    assert caplog.records == []


def test_sends_of_other_kinds_are_refused(serve_either, reports):
    class Sending(WebSocketHandler):
        async def on_open(self):
            with pytest.raises(TypeError):
                self.send({"a": 1})
            reports("checked")

    with serve_either(Sending.as_view()).websocket("/"):
        assert reports.next() == "checked"


@pytest.mark.parametrize("awaiting", [False, True])
def test_close_from_a_task_takes_effect_at_once(serve_either, reports, awaiting):
    class Closing(WebSocketHandler):
        async def on_open(self):
            self.start_task("closing", self.say_goodbye)

        async def say_goodbye(self):
            self.send("goodbye")
            closing = self.close(4000, "over")
            if awaiting:
                await closing

        def on_close(self):
            reports(self.websocket.close_code)

    session = serve_either(Closing.as_view()).websocket("/")
    assert session.receive() == "goodbye"
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert (caught.value.code, caught.value.reason) == (4000, "over")
    assert reports.next() == 4000
    session.close()


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("where", ["on_open", "on_message"])
def test_an_error_ends_the_connection(serve_either, reports, caplog, where, plain):
    def fail(self, *args):
        raise LookupError("on purpose")

    async def afail(self, *args):
        fail(self)

    class Failing(WebSocketHandler):
        async def on_error(self, error):
            self.send("sorry")
            reports(error.args[0])

        def on_close(self):
            reports(("close", self.websocket.close_code))

    setattr(Failing, where, fail if plain else afail)
    session = serve_either(Failing.as_view()).websocket("/")
    if where == "on_message":
        session.send("x")
    assert session.receive() == "sorry"
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    assert [reports.next(), reports.next()] == ["on purpose", ("close", 1011)]
    assert reports.all() == []
    [record] = caplog.records
    assert record.name == "django.request"
    assert record.exc_info[0] is LookupError


def test_errors_in_on_error_and_on_close_are_logged(serve_either, caplog):
    class Failing(WebSocketHandler):
        async def on_open(self):
            raise LookupError

        async def on_error(self, error):
            raise ZeroDivisionError

        async def on_close(self):
            raise KeyError

    session = serve_either(Failing.as_view()).websocket("/")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    logged = [record.exc_info[0] for record in caplog.records]
    assert logged == [LookupError, ZeroDivisionError, KeyError]


def test_connection_closed_is_no_error(serve_either, reports, caplog):
    """Somebody else's, too: a broadcast by hand ends at a member who has gone."""

    class Escaping(WebSocketHandler):
        async def on_message(self, message):
            raise ConnectionClosed(4444)

        async def on_error(self, error):
            reports(error)

        async def on_close(self):
            reports((self.connected, self.websocket.close_code))

    session = serve_either(Escaping.as_view()).websocket("/")
    session.send("x")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1000
    session.close()
    assert reports.next() == (False, 1000)
    assert caplog.records == []


class Json(JsonWebSocketHandler):
    async def on_message(self, message):
        self.send({"got": message})


@pytest.mark.parametrize("bad", ["[", "", b"\xff"])
def test_what_is_no_json(serve_either, reports, caplog, bad):
    class Reporting(Json):
        async def on_open(self):
            self.start_task("waiting", self.wait_for_ever)

        async def wait_for_ever(self):
            try:
                await asyncio.Event().wait()
            finally:
                reports("cancelled")

        def on_error(self, error):
            reports(isinstance(error, ValueError))

        async def on_close(self):
            reports(self.websocket.close_code)

    session = serve_either(Reporting.as_view()).websocket("/")
    session.send('{"a": [1, "\u20ac"]}')
    assert session.receive_json() == {"got": {"a": [1, "\u20ac"]}}
    session.send(b"null")
    assert session.receive_json() == {"got": None}
    session.send(bad)
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert (caught.value.code, caught.value.reason) == (1007, "not JSON")
    session.close()
    assert [reports.next() for _ in range(3)] == [True, "cancelled", 1007]
    assert caplog.records == []


def test_what_is_given(serve_either, reports):
    class Given(WebSocketHandler):
        room = "none"

        async def on_open(self):
            request = self.request
            reports((self.args, self.kwargs, self.room, request.path, request.method))
            assert self.websocket is request.websocket
            assert request.is_websocket()

    given = path("<slug:name>/", Given.as_view(room="lobby"))
    with serve_either(Echo.as_view(), given).websocket("/ada/?a=1"):
        assert reports.next() == ((), {"name": "ada"}, "lobby", "/ada/", "GET")


def test_subprotocols(serve_either):
    client = serve_either(Echo.as_view())
    with client.websocket("/", subprotocols=["other", "echo"]) as session:
        assert session.subprotocol == "echo"
    with client.websocket("/", subprotocols=["other"]) as session:
        assert session.subprotocol is None


# Who may connect


class ForAda(LoginRequiredMixin, WebSocketHandler):
    async def on_open(self):
        self.send(self.request.user.username)


class Decorated(WebSocketHandler):
    async def on_open(self):
        self.send(self.request.user.username)


class Denying(WebSocketHandler):
    def dispatch(self, request, *args, **kwargs):
        raise PermissionDenied

    async def on_open(self):
        raise AssertionError


def refused(client, address="/", **options):
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket(address, **options)
    return caught.value


@pytest.mark.parametrize("view", [ForAda.as_view(), login_required(Decorated.as_view())])
def test_users_alone_are_let_in(serve_either, user, view):
    client = serve_either(view, LOGIN_URL="/login/")
    assert refused(client).status_code == 302
    client.force_login(user)
    with client.websocket("/") as session:
        assert session.receive() == "ada"


def test_dispatch_refuses(serve_either):
    assert refused(serve_either(Denying.as_view())).status_code == 403


def test_strangers_pages_are_refused(serve_either):
    client = serve_either(Echo.as_view())
    refusal = refused(client, origin="https://evil.test")
    assert refusal.status_code == 403
    assert b"evil.test" in refusal.content
    with client.websocket("/", origin="http://testserver") as session:
        session.send("x")
        assert session.receive() == "x"


def test_a_request_without_users(serve_either, reports):
    class Looking(WebSocketHandler):
        async def on_open(self):
            reports(hasattr(self.request, "user"))

    with serve_either(Looking.as_view(), MIDDLEWARE=[]).websocket("/"):
        assert reports.next() is False


def test_plain_http(serve_either):
    class Page(Echo):
        async def get(self, request):
            return HttpResponse("page")

    class PlainPage(Echo):
        def get(self, request):
            return HttpResponse("plain")

    client = serve_either(
        Echo.as_view(), path("page/", Page.as_view()), path("plain/", PlainPage.as_view())
    )
    response = client.get("/")
    assert response.status_code == 400
    assert b"WebSockets only" in response.content
    assert client.get("/page/").content == b"page"
    assert client.post("/page/").status_code == 405
    assert client.get("/plain/").content == b"plain"
    with client.websocket("/page/") as session:
        session.send("x")
        assert session.receive() == "x"


@pytest.mark.parametrize("decorator", [require_websocket, accept_websocket, never_cache])
@pytest.mark.parametrize("middleware", [False, True])
def test_decorated_and_below_the_middleware(serve_either, decorator, middleware):
    changed = (
        {"MIDDLEWARE": [*MIDDLEWARE, OURS], "WEBSOCKET_ACCEPT_ALL": True} if middleware else {}
    )
    with serve_either(decorator(Echo.as_view()), **changed).websocket("/") as session:
        session.send("x")
        assert session.receive() == "x"


@pytest.mark.parametrize("options", [{"subprotocols": ["chat"]}, {"auto_accept": False}])
def test_a_decorator_has_nothing_to_say_about_a_handler(options):
    with pytest.raises(TypeError, match="Echo is a handler and needs no decorator"):
        require_websocket(**options)(Echo.as_view())


def test_a_method_decorator_runs(serve_either, reports):
    def noted(view):
        def wrapper(request, *args, **kwargs):
            reports("decorator")
            return view(request, *args, **kwargs)

        return wrapper

    @method_decorator(noted, name="dispatch")
    class Noted(Echo):
        pass

    with serve_either(Noted.as_view()).websocket("/") as session:
        assert reports.next() == "decorator"
        session.send("x")
        assert session.receive() == "x"


@require_websocket
def passing_on(request):
    return Echo.as_view()(request)


@method_decorator(require_websocket, name="dispatch")
class Twice(Echo):
    pass


@pytest.mark.parametrize("view", [passing_on, Twice.as_view()])
def test_accepted_by_somebody_else(serve_either, view):
    """It works; the thread of that one waits."""
    with serve_either(view).websocket("/") as session:
        session.send("x")
        assert session.receive() == "x"


def test_dispatch_is_no_coroutine():
    class Async(WebSocketHandler):
        async def dispatch(self, request, *args, **kwargs):
            pass

    with pytest.raises(ImproperlyConfigured, match=r"Async\.dispatch is 'async def'"):
        Async.as_view()


# What surrounds them

colour = ContextVar("colour", default="none")


def colouring(get_response):
    """Middleware of the old kind: nothing but a function."""

    def middleware(request):
        colour.set("green")
        with translation.override("de"):
            return get_response(request)

    return middleware


def test_context_of_the_request(serve_either, reports):
    class Looking(WebSocketHandler):
        async def on_open(self):
            reports((colour.get(), translation.get_language()))

        def on_message(self, message):
            reports((colour.get(), translation.get_language()))
            self.send(str(get_user_model().objects.count()))

        async def on_close(self):
            await sync_to_async(self.report)()

        def report(self):
            reports((colour.get(), translation.get_language()))

    changed = {"MIDDLEWARE": [f"{__name__}.colouring"]}
    with serve_either(Looking.as_view(), **changed).websocket("/") as session:
        session.send("x")
        assert session.receive().isdigit()
    assert [reports.next() for _ in range(3)] == [("green", "de")] * 3


def test_the_request_is_given_back(request, serve_either, reports, user):
    kept = []

    class Short(WebSocketHandler):
        keep_request = False

        async def on_open(self):
            kept.append(weakref.ref(self.request))

        async def on_message(self, message):
            reports((self.request.path, self.request.user.username))
            with pytest.raises(AttributeError, match="keep_request"):
                self.request.GET  # noqa: B018
            raise LookupError

    client = serve_either(Short.as_view())
    client.force_login(user)
    session = client.websocket("/")
    wait_until(lambda: kept)
    if request.node.callspec.params["serve_either"] != "held":  # by the server, who has it, too
        wait_until(lambda: gc.collect() is not None and kept[0]() is None)
    session.send("x")
    assert reports.next() == ("/", "ada")
    session.close()


@pytest.mark.parametrize("how", ["send", "asend"])
def test_groups(serve_either, how):
    class Member(WebSocketHandler):
        async def on_open(self):
            self.room = Group("async room")
            self.room.add(self.websocket)
            self.send("here")

        async def on_message(self, message):
            if how == "send":
                self.room.send(message, exclude=self.websocket)
            else:
                await self.room.asend(message, exclude=self.websocket)

    client = serve_either(Member.as_view())
    with client.websocket("/") as one, client.websocket("/") as other:
        assert (one.receive(), other.receive()) == ("here", "here")
        one.send("hello")
        assert other.receive() == "hello"
        Group("async room").send("from a thread of nobody")
        assert one.receive() == other.receive() == "from a thread of nobody"
    assert len(Group("async room")) == 0


def test_each_connection_has_an_instance(serve_either):
    class Counting(WebSocketHandler):
        count = 0

        async def on_message(self, message):
            self.count += 1
            self.send(str(self.count))

    client = serve_either(Counting.as_view())
    with client.websocket("/") as one, client.websocket("/") as other:
        for expected in "12":
            one.send("x")
            assert one.receive() == expected
        other.send("x")
        assert other.receive() == "1"
