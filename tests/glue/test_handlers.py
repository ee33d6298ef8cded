"""WebSocketHandler as one of Django's class-based views: who may reach it, and what it is given."""

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from dwebsocket import (
    ConnectionClosed,
    JsonWebSocketHandler,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)
from dwebsocket.exceptions import InvalidState
from dwebsocket.testing import WebSocketRefused

from ..raw_client import TEXT, build_close, build_frame
from .site import OURS, letting_go, wait_until


@pytest.fixture(params=["held", "driven"])
def way(request):
    """Held in the server's thread, or driven by the loop: the calls are the same."""
    return letting_go if request.param == "driven" else lambda view: view


class Echo(WebSocketHandler):
    subprotocols = ("echo",)

    def on_message(self, message):
        self.send(message)


@pytest.fixture
def reporting(reports):
    """A handler that reports each of its calls."""

    class Reporting(Echo):
        def on_open(self):
            reports("open")

        def on_message(self, message):
            reports(message)
            super().on_message(message)

        def on_error(self, error):
            reports(type(error).__name__)

        def on_close(self):
            reports(("close", self.websocket.close_code))

    return Reporting


def test_the_calls_of_a_conversation(site, reports, reporting, way):
    with site.serve(way(reporting.as_view())).websocket("/") as session:
        session.send("a")
        session.send(b"b")
        assert (session.receive(), session.receive()) == ("a", b"b")
    assert [reports.next() for _ in range(4)] == ["open", "a", b"b", ("close", 1000)]


def test_the_test_client_needs_no_more_than_for_a_view(site):
    client = site.serve(Echo.as_view())
    with client.websocket("/", subprotocols=["other", "echo"]) as session:
        assert session.subprotocol == "echo"


def test_subprotocols_are_a_list():
    """The characters of a text are no names."""

    class Wrong(WebSocketHandler):
        subprotocols = "echo"

    with pytest.raises(TypeError, match=r"Wrong\.subprotocols is 'echo', it must be a list"):
        Wrong.as_view()
    with pytest.raises(TypeError, match="must be a list"):
        WebSocketHandler.as_view(subprotocols="echo")


@pytest.mark.parametrize("decorator", [require_websocket, accept_websocket])
@pytest.mark.parametrize("middleware", [False, True])
def test_decorated_and_below_the_middleware(site, reports, reporting, decorator, middleware, way):
    from .site import MIDDLEWARE

    changed = (
        {"MIDDLEWARE": [*MIDDLEWARE, OURS], "WEBSOCKET_ACCEPT_ALL": True} if middleware else {}
    )
    with site.serve(way(decorator(reporting.as_view())), **changed).websocket("/") as session:
        session.send("a")
        assert session.receive() == "a"
    assert [reports.next() for _ in range(3)] == ["open", "a", ("close", 1000)]


def test_what_is_given(site, reports, way):
    class Given(WebSocketHandler):
        room = "none"

        def on_open(self):
            reports((self.args, self.kwargs, self.room, self.request.path))
            assert self.websocket is self.request.websocket
            assert self.request.is_websocket()

    given = path("<slug:name>/", way(Given.as_view(room="lobby")))
    with site.serve(Echo.as_view(), given).websocket("/ada/"):
        assert reports.next() == ((), {"name": "ada"}, "lobby", "/ada/")


def test_each_connection_has_an_instance(site, reports, way):
    class Counting(WebSocketHandler):
        count = 0

        def on_message(self, message):
            self.count += 1
            self.send(str(self.count))

    client = site.serve(way(Counting.as_view()))
    with client.websocket("/") as one, client.websocket("/") as other:
        for expected in "12":
            one.send("x")
            assert one.receive() == expected
        other.send("x")
        assert other.receive() == "1"


def test_a_mixin_refuses_with_http(site, reports, reporting):
    class Guarded(LoginRequiredMixin, reporting):
        pass

    client = site.serve(Guarded.as_view(), LOGIN_URL="/login/")
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/")
    assert caught.value.status_code == 302
    assert reports.all() == []


def test_a_mixin_lets_users_in(site, user):
    class Guarded(LoginRequiredMixin, WebSocketHandler):
        def on_open(self):
            self.send(self.request.user.username)

    client = site.serve(Guarded.as_view())
    client.force_login(user)
    with client.websocket("/") as session:
        assert session.receive() == "ada"


def test_a_method_decorator_runs(site, reports):
    def noted(view):
        def wrapper(request, *args, **kwargs):
            reports("decorator")
            return view(request, *args, **kwargs)

        return wrapper

    @method_decorator(noted, name="dispatch")
    @method_decorator(never_cache, name="dispatch")
    class Decorated(Echo):
        pass

    with site.serve(Decorated.as_view()).websocket("/") as session:
        assert reports.next() == "decorator"
        session.send("x")
        assert session.receive() == "x"


def test_plain_http_is_refused(site):
    response = site.serve(Echo.as_view()).get("/")
    assert response.status_code == 400
    assert b"WebSockets only" in response.content


def test_plain_http_goes_to_get_if_there_is_one(site):
    class Page(Echo):
        def get(self, request):
            return HttpResponse("page")

    client = site.serve(Page.as_view())
    assert client.get("/").content == b"page"
    assert client.post("/").status_code == 405
    with client.websocket("/") as session:
        session.send("x")
        assert session.receive() == "x"


def test_setup_may_refuse(site, reports, reporting):
    class Refusing(reporting):
        def dispatch(self, request, *args, **kwargs):
            return HttpResponse("not now", status=503)

    with pytest.raises(WebSocketRefused) as caught:
        site.serve(Refusing.as_view()).websocket("/")
    assert caught.value.status_code == 503
    assert reports.all() == []


def test_the_view_looks_like_djangos():
    view = Echo.as_view()
    assert view.view_class is Echo
    assert view.__doc__ == Echo.__doc__
    assert view.__module__ == Echo.__module__
    assert not getattr(view, "csrf_exempt", False)
    with pytest.raises(TypeError):
        Echo.as_view(unknown=1)


def test_json(site, reports, way):
    class Json(JsonWebSocketHandler):
        def on_message(self, message):
            self.send_json({"got": message})

        def on_error(self, error):
            reports(type(error).__name__)

        def on_close(self):
            reports(self.websocket.close_code)

    site.serve(way(Json.as_view()))
    client = site.open()
    client.send_bytes(build_frame(TEXT, "[1]") + build_frame(TEXT, "[") + build_frame(TEXT, "[2]"))
    assert client.read_text() == '{"got": [1]}'
    assert client.read_close().close_code == 1007
    client.send_close(1007)
    assert client.read_to_eof() == b""
    assert [reports.next(), reports.next()] == ["JSONDecodeError", 1007]


def test_what_the_names_on_self_do(site, reports, way):
    class Calling(WebSocketHandler):
        def on_message(self, message):
            self.send_json({"a": 1})
            self.close(4001, "enough")
            for call in (lambda: self.send("x"), lambda: self.send_json(1)):
                with pytest.raises(ConnectionClosed):
                    call()
            reports("checked")

    with site.serve(way(Calling.as_view())).websocket("/") as session:
        session.send("go")
        assert session.receive() == '{"a": 1}'
        with pytest.raises(ConnectionClosed) as caught:
            session.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "enough")
    assert reports.next() == "checked"


@pytest.mark.parametrize("name", ["wait", "read", "wait_json"])
def test_a_handler_does_not_wait(site, reports, name):
    class Waiting(WebSocketHandler):
        def on_open(self):
            self.attempt()

        def on_message(self, message):
            self.attempt()

        def attempt(self):
            with pytest.raises(InvalidState, match=r"come to on_message\(\)"):
                getattr(self.websocket, name)()
            with pytest.raises(InvalidState, match=r"come to on_message\(\)"):
                iter(self.websocket)
            reports("refused")

    with site.serve(letting_go(Waiting.as_view())).websocket("/") as session:
        session.send("go")
        assert [reports.next(), reports.next()] == ["refused"] * 2


def test_messages_and_a_close_in_one_read(site, reports, reporting, way):
    site.serve(way(reporting.as_view()))
    client = site.open(early=build_frame(TEXT, "early"))
    client.send_bytes(build_frame(TEXT, "a") + build_frame(TEXT, "b") + build_close(4002))
    assert [client.read_text() for _ in range(3)] == ["early", "a", "b"]
    assert client.read_close().close_code == 4002
    assert client.read_to_eof() == b""
    assert [reports.next() for _ in range(5)] == ["open", "early", "a", "b", ("close", 4002)]


def test_process_ends_in_on_open(site, reports, caplog):
    """The connection is closed, and on_close is called by the loop."""

    class Ending(WebSocketHandler):
        def on_open(self):
            raise SystemExit

        def on_close(self):
            reports(self.websocket.close_code)

    site.serve(letting_go(Ending.as_view()))
    client = site.open()
    assert client.read_close().close_code == 1001
    client.send_close(1001)
    client.read_to_eof()
    assert reports.next() == 1001


def test_handlers_in_the_old_ways(site, reports, way):
    class Old(WebSocketHandler):
        def on_message(self, message):
            self.send(message)
            self.close()
            self.send("silently lost")
            reports("sent")

    with site.serve(way(Old.as_view()), WEBSOCKET_LEGACY=True).websocket("/") as session:
        session.send("text")
        assert session.receive() == "text"
        assert reports.next() == "sent"


def test_nothing_is_left_of_a_connection(site, reports):
    from dwebsocket.backends.sockets import sweeper
    from dwebsocket.transports.thread_loop import get_loop

    client = site.serve(letting_go(Echo.as_view()))
    connections, watches = sweeper.count(), len(get_loop()._watches)
    for _ in range(5):
        with client.websocket("/") as session:
            session.send("x")
            session.receive()
    wait_until(lambda: sweeper.count() <= connections)
    wait_until(lambda: len(get_loop()._watches) <= watches)


def test_a_request_that_was_never_one():
    """Without a server's socket there is nothing to take."""
    request = RequestFactory().get("/", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert Echo.as_view()(request).status_code in (400, 501)


def test_close_does_nothing_after_the_end(site, reports, way):
    kept = []

    class Kept(Echo):
        def on_open(self):
            kept.append(self.websocket)

        def on_close(self):
            reports("closed")

    site.serve(way(Kept.as_view()))
    client = site.open()
    client.send_close(4001)
    assert client.read_close().close_code == 4001
    assert client.read_to_eof() == b""
    assert reports.next() == "closed"
    [websocket] = kept
    wait_until(lambda: websocket.fileno() == -1 or way is not letting_go)
    websocket.close(4002)
    assert websocket.close_code == 4001
    client.join()


def test_a_context_that_cannot_be_kept(serve_beside, reports, reporting, monkeypatch):
    """The file of a time zone cannot be read just then: the connection ends."""

    def fail():
        raise OSError("Too many open files")

    monkeypatch.setattr("dwebsocket.running.context.find_active", fail)
    with serve_beside(reporting.as_view()).websocket("/") as session:
        with pytest.raises(ConnectionClosed) as caught:
            session.receive()
        assert caught.value.code == 1011
    assert [reports.next() for _ in range(3)] == ["open", "OSError", ("close", 1011)]
