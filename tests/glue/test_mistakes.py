"""Wrong arguments and calls in the wrong place: the text says what is wrong and what to do."""

import gc
import re
import warnings
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.views import View

from dwebsocket import (
    ConnectionClosed,
    Group,
    JsonWebSocketHandler,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)

from .site import OURS, wait_until

NO_CODE = r"close\(\) takes a code, which is a whole number, .* is no code\. Write close\(4000\)"

#: What is called of request.websocket, and the error.
CALLS = [
    ("close", ("bye",), TypeError, r"a reason: 'bye' is no code\. .* or close\(reason='a reason'"),
    ("close", (b"bye",), TypeError, NO_CODE),
    ("close", (1000.5,), TypeError, NO_CODE),
    ("close", ("4000",), TypeError, NO_CODE),
    ("close", (4000, 5), TypeError, r"the reason to close is text, not int: 5\. Write close\(4000"),
    ("close", (4000, ["x"]), TypeError, "is text, not list"),
    ("close", (1006,), ValueError, r"1006 is not a close code .* close\(\) sends 1000"),
    ("close", (1006, "lost"), ValueError, "1006 is not .* it stands for what no Close has"),
    ("close", (99,), ValueError, "99 is not a close code that may be sent"),
    ("disconnect", ("bye",), TypeError, NO_CODE),
    ("ping", (5,), TypeError, r"ping\(\) takes up to 125 bytes, or text, .* not int"),
    ("ping", (None,), TypeError, "not NoneType"),
    ("send", ({"a": 1},), TypeError, r"not dict; send_json\(\) sends other data$"),
    ("send", (None,), TypeError, r"not NoneType; .* look at what they return before you send it"),
    ("wait", ("5",), TypeError, r"timeout is '5', it must be a number of seconds; None waits for"),
    ("wait", (timedelta(seconds=5),), TypeError, r"timeout is .*timedelta.*, it must be a number"),
    ("wait", ([5],), TypeError, r"timeout is \[5\]"),
    ("wait", (float("inf"),), OverflowError, "timeout is inf, .* None waits for ever"),
    ("wait", (float("nan"),), ValueError, "timeout is nan, it must be a number of seconds"),
    ("wait_json", ("5",), TypeError, "timeout is '5'"),
]


@pytest.fixture
def call(serve_either, reports):
    """call(name, *arguments): of a view's open WebSocket; what that has raised."""

    def call(name, *arguments):
        @require_websocket
        def view(request):
            reports(error_of(getattr(request.websocket, name), *arguments))
            request.websocket.send("the connection lives")

        with serve_either(view).websocket("/") as session:
            assert session.receive() == "the connection lives"
        return reports.next()

    return call


def error_of(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(("name", "arguments", "error", "text"), CALLS)
def test_a_wrong_argument(call, name, arguments, error, text):
    raised = call(name, *arguments)
    assert type(raised) is error
    with pytest.raises(error, match=text):
        raise raised


def test_a_wrong_argument_is_shown_in_short(call):
    assert len(str(call("close", "x" * 100_000))) < 300


@pytest.mark.parametrize(
    ("name", "arguments", "error", "text"),
    [
        ("aclose", ("bye",), TypeError, NO_CODE),
        ("aclose", (1006,), ValueError, "1006 is not a close code"),
        ("aclose", (4000, 5), TypeError, "the reason to close is text"),
        ("asend", ({},), TypeError, "not dict; send_json"),
        ("asend", (None,), TypeError, "look at what they return"),
        ("areceive", ("5",), TypeError, "timeout is '5', it must be a number of seconds"),
    ],
)
def test_a_wrong_argument_of_an_async_twin(serve_either, reports, name, arguments, error, text):
    @require_websocket
    async def view(request):
        try:
            await getattr(request.websocket, name)(*arguments)
        except Exception as raised:
            reports(raised)
        await request.websocket.asend("the connection lives")

    with serve_either(view).websocket("/") as session:
        assert session.receive() == "the connection lives"
    with pytest.raises(error, match=text):
        raise reports.next()


class Wrong(WebSocketHandler):
    reports = None

    def on_message(self, message):
        for name, argument in [("close", "bye"), ("close", 1006), ("send", {}), ("send", None)]:
            self.reports(error_of(getattr(self, name), argument))
        self.send("the connection lives")


class AsyncWrong(Wrong):
    async def on_message(self, message):
        super().on_message(message)


@pytest.mark.parametrize("handler", [Wrong, AsyncWrong])
def test_a_wrong_argument_in_a_handler(serve_either, reports, handler):
    with serve_either(handler.as_view(reports=reports)).websocket("/") as session:
        session.send("go")
        assert session.receive() == "the connection lives"
    texts = [str(reports.next()) for _ in range(4)]
    assert "'bye' is no code" in texts[0]
    assert "1006 is not a close code" in texts[1]
    assert "not dict; send_json()" in texts[2]
    assert "look at what they return" in texts[3]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("bye",), TypeError, NO_CODE),
        ((1006,), ValueError, "1006 is not a close code"),
        ((4000, 5), TypeError, "the reason to close is text"),
    ],
)
def test_a_wrong_argument_of_a_group(arguments, error, text):
    with pytest.raises(error, match=text):
        Group("lobby").close(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"subprotocol": ["chat"]}, ValueError, r"\['chat'\] is not the name of a subprotocol"),
        ({"headers": [("A", "b")]}, TypeError, r"it must be a dictionary, such as \{"),
        ({"headers": {"X-Number": 5}}, TypeError, "the X-Number header is 5, it must be text: '5'"),
    ],
)
def test_a_wrong_argument_of_accept(site, reports, options, error, text):
    @require_websocket(auto_accept=False)
    def view(request):
        try:
            request.websocket.accept(**options)
        except Exception as raised:
            reports(raised)
        request.websocket.accept()

    with site.serve(view).websocket("/"), pytest.raises(error, match=text):
        raise reports.next()


# None


@require_websocket
def echo_once(request):
    """As the pages of the first releases have it."""
    message = request.websocket.wait()
    request.websocket.send(message)


@require_websocket
async def echo_once_async(request):
    await request.websocket.asend(await request.websocket.areceive())


@require_websocket
def echo_once_json(request):
    request.websocket.send_json(request.websocket.wait_json())


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("view", [echo_once, echo_once_async, echo_once_json])
def test_a_visitor_that_leaves_without_a_word_is_no_error(serve_either, caplog, view, legacy):
    client = serve_either(view, WEBSOCKET_LEGACY=legacy)
    with client.websocket("/"):
        pass
    with client.websocket("/") as session:
        session.send('"hello"')
        assert session.receive() in ('"hello"', b'"hello"')
    assert caplog.records == []


def test_none_is_the_end_of_a_connection_that_has_closed(site, reports):
    @require_websocket
    def view(request):
        request.websocket.wait()
        reports(error_of(request.websocket.send, None))

    with site.serve(view).websocket("/") as session:
        session.close(4000, "bye")
    error = reports.next()
    assert type(error) is ConnectionClosed
    assert str(error) == "the WebSocket is closed: 4000 bye"


@require_websocket
def lower(request):
    request.websocket.send(request.websocket.wait().lower())


@require_websocket
async def lower_async(request):
    await request.websocket.asend((await request.websocket.areceive()).lower())


@pytest.mark.parametrize("view", [lower, lower_async])
def test_what_is_done_with_the_none_of_wait_is_explained(serve_either, caplog, view):
    with serve_either(view).websocket("/"):
        pass
    wait_until(lambda: len(caplog.records) == 2)
    error, hint = caplog.records
    assert error.exc_info[0] is AttributeError
    assert (hint.name, hint.levelname) == ("dwebsocket.connection", "WARNING")
    assert "wait() or read() has returned None to this view" in hint.getMessage()
    assert "`if message is None: return`" in hint.getMessage()


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("receive", r"wait\(\), or in async"),
        ("write_message", r"send\(\) here"),
        ("quack", ""),
    ],
)
def test_the_method_of_another_package_is_named(site, caplog, name, instead):
    @require_websocket
    def view(request):
        getattr(request.websocket, name)()

    with site.serve(view, raise_request_exception=False).websocket("/"):
        pass
    error, *hints = caplog.records
    assert error.exc_info[0] is AttributeError
    texts = [hint.getMessage() for hint in hints]
    assert len(texts) == bool(instead)
    assert all(re.search(rf"a WebSocket's {name} is called {instead}", text) for text in texts)


def test_what_was_not_awaited_is_not_sent(call):
    async def receive():
        return "later"

    coroutine = receive()
    error = call("send", coroutine)
    coroutine.close()
    assert re.search(r"not coroutine; .* Write `await` before what you send", str(error))


def test_another_none_is_not(site, caplog):
    @require_websocket
    def view(request):
        request.websocket.wait()
        request.nothing.lower()

    with site.serve(view, raise_request_exception=False).websocket("/") as session:
        session.send("hello")
    assert len(caplog.records) == 1


# await


@require_websocket
async def awaits_send(request):
    await request.websocket.send("hello")


@require_websocket
async def awaits_send_json(request):
    ws = request.websocket
    await ws.send_json([])


@require_websocket
async def awaits_close(request):
    await request.websocket.close()


class AwaitsPing(WebSocketHandler):
    async def on_open(self):
        await self.websocket.ping()


@pytest.mark.parametrize(
    ("view", "instead"),
    [
        (awaits_send, "send() of a WebSocket cannot be awaited. In async code write `await "
         "request.websocket.asend(…)`"),
        (awaits_send_json, "write `ws.send_json(…)` without `await`"),
        (awaits_close, "write `await request.websocket.aclose(…)`"),
        (AwaitsPing.as_view(), "write `self.websocket.ping(…)` without `await`"),
    ],
)  # fmt: skip
def test_an_await_of_a_plain_method_is_explained(serve_either, caplog, view, instead):
    with serve_either(view).websocket("/"):
        wait_until(lambda: len(caplog.records) == 2)
    error, hint = caplog.records
    assert "await" in str(error.exc_info[1])
    assert hint.getMessage().startswith("On the error at /: ")
    assert instead in hint.getMessage()


def test_an_await_of_something_else_is_not(serve_either, caplog):
    @require_websocket
    async def view(request):
        await None

    with serve_either(view).websocket("/"):
        pass
    wait_until(lambda: caplog.records)
    assert len(caplog.records) == 1


def test_an_error_that_cannot_be_shown_is_still_logged(site, caplog):
    class Unspeakable(TypeError):
        def __str__(self):
            raise KeyError("no words")

    @require_websocket
    def view(request):
        raise Unspeakable

    with site.serve(view, raise_request_exception=False).websocket("/"):
        pass
    assert caplog.records[0].exc_info[0] is Unspeakable


def test_waiting_in_an_async_view_names_the_twin(serve, reports):
    @require_websocket
    async def view(request):
        reports(error_of(request.websocket.wait))

    with serve(view).websocket("/"):
        pass
    assert "write `await request.websocket.areceive()`" in str(reports.next())


def test_a_twin_that_is_never_awaited_is_named_by_python(site):
    @require_websocket
    def view(request):
        request.websocket.asend("lost")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with site.serve(view).websocket("/") as session, pytest.raises(ConnectionClosed):
            session.receive()
        gc.collect()
    texts = [str(one.message) for one in caught if one.category is RuntimeWarning]
    assert texts == ["coroutine 'SocketWebSocket.asend' was never awaited"]


# Classes in the place of views


class Room(WebSocketHandler):
    def on_message(self, message):
        self.send(message)


class Plain(View):
    def get(self, request):
        return HttpResponse("plain")


@pytest.mark.parametrize("middleware", [[], [OURS]])
@pytest.mark.parametrize(
    ("view", "text"),
    [
        (Room, r"Room was called with WSGIRequest, as a view is: path\(\) takes Room\.as_view\(\)"),
        (Room.as_view, r"path\(\) takes Room\.as_view\(\), with its parentheses"),
    ],
)
def test_a_handler_in_the_place_of_a_view(site, caplog, view, text, middleware):
    client = site.serve(view, MIDDLEWARE=middleware)
    with pytest.raises(TypeError, match=text):
        client.get("/")
    if view is Room or not middleware:
        raw = site.connect()
        raw.send_request("/")
        assert raw.read_response().status == 500
        raw.join()
        with pytest.raises(TypeError, match=text):
            raise [one.exc_info[1] for one in caplog.records if one.exc_info][-1]


def test_django_finds_it_in_the_urlconf():
    with override_settings(ROOT_URLCONF=(path("room/", Room),)):
        [message] = run_checks()
    assert message.id == "urls.E009"
    assert "pass Room.as_view() instead of Room" in message.msg


@pytest.mark.parametrize("decorator", [accept_websocket, require_websocket])
@pytest.mark.parametrize("view", [Room, Plain])
def test_a_decorated_class(decorator, view):
    text = rf"takes a view, and {view.__name__} is a class: decorate {view.__name__}\.as_view\(\)"
    with pytest.raises(TypeError, match=text):
        decorator(view)
    with pytest.raises(TypeError, match=text):
        decorator(subprotocols=["chat"])(view)


def logs(hook):
    def wrapper(self, text):
        return hook(self, text, len(text))

    wrapper.__wrapped__ = hook
    return wrapper


class TestHooks:
    @pytest.mark.parametrize(
        ("name", "hook", "text"),
        [
            (
                "on_open",
                lambda self, message: None,
                r"as on_open\(\): .*'message'.*on_open\(self\)",
            ),
            (
                "on_message",
                lambda self: None,
                r"on_message\(message\): .*on_message\(self, message",
            ),
            ("on_message", lambda self, a, b: None, r"on_message\(message\): .*'b'"),
            ("on_close", lambda self, code: None, r"as on_close\(\): .*'code'"),
            ("on_error", lambda self: None, r"on_error\(error\)"),
            (
                "on_presence",
                lambda self, joined: None,
                r"on_presence\(joined, left\): .*on_presence\(self, joined, left\)",
            ),
            ("on_history_lost", lambda self: None, r"on_history_lost\(group\)"),
            ("on_message", lambda self, *, text: None, r"Write 'def on_message\(self, message\)'"),
        ],
    )
    def test_one_that_cannot_be_called(self, name, hook, text):
        handler = type("Old", (WebSocketHandler,), {name: hook})
        with pytest.raises(ImproperlyConfigured, match=rf"Old\.{name} cannot be called .*{text}"):
            handler.as_view()

    @pytest.mark.parametrize(
        ("name", "hook"),
        [
            ("on_open", lambda self, message=None: None),
            ("on_message", lambda self, *args: None),
            ("on_message", lambda *args: None),
            ("on_message", lambda self, text, **options: None),
            ("on_message", staticmethod(print)),
            ("on_message", classmethod(lambda cls, message: None)),
            ("on_message", logs(lambda self, text, length: None)),
            ("on_message", print),
        ],
    )
    def test_one_that_can(self, name, hook):
        assert type("Fine", (WebSocketHandler,), {name: hook}).as_view()

    @pytest.mark.parametrize(
        ("names", "meant"),
        [
            (["receive"], ["on_message"]),
            (["connect", "disconnect"], ["on_open", "on_close"]),
            (["on_mesage"], ["on_message"]),
            (["onmessage"], ["on_message"]),
            (["on_opened"], ["on_open"]),
            (["receive", "on_message"], []),
            (["connect", "on_open"], []),
            (["on_order", "online", "reply", "get", "_connect"], []),
        ],
    )
    def test_one_that_is_called_otherwise(self, caplog, names, meant):
        def method(self, *args):
            pass

        type("Old", (JsonWebSocketHandler,), dict.fromkeys(names, method)).as_view()
        told = [record.getMessage() for record in caplog.records]
        assert told == [
            f"Old.{name} is not called by dwebsocket: is it meant to be {hook}()?"
            for name, hook in zip(names, meant, strict=False)
        ]
