"""``WEBSOCKET_CONTEXTS``: what is put around the calls that come after the request has ended."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from types import SimpleNamespace

import pytest
from asgiref.local import Local
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject

from dwebsocket import ConnectionClosed, WebSocketHandler, require_websocket
from dwebsocket.testing import WebSocketRefused
from dwebsocket.upgrade.handler import KeptRequest

from .site import wait_until

calls = []
plain_local = threading.local()
local = Local()
variable = ContextVar("mine", default=None)


@pytest.fixture(autouse=True)
def no_calls_yet():
    calls.clear()


def named(name):
    @contextmanager
    def context(request):
        calls.append(f"enter {name}")
        try:
            yield
        except BaseException as error:
            calls.append(f"{name} sees {error}")
            raise
        finally:
            calls.append(f"leave {name}")

    return context


outer, inner = named("outer"), named("inner")


@contextmanager
def holding(request):
    """What the address asks for, in whatever keeps things for a thread or a context."""
    value, before = request.GET["value"], getattr(local, "value", None)
    plain_local.value = local.value = value
    token = variable.set(value)
    yield
    variable.reset(token)
    local.value = before
    del plain_local.value


def held():
    return [getattr(plain_local, "value", None), getattr(local, "value", None), variable.get()]


@asynccontextmanager
async def asynchronous(request):
    calls.append("enter asynchronous")
    local.value = request.GET.get("value", "?")
    await asyncio.sleep(0)
    yield
    local.value = None
    calls.append("leave asynchronous")


class Both:
    def __init__(self, request):
        pass

    def __enter__(self):
        calls.append("enter plain")

    def __exit__(self, *exc):
        calls.append("leave plain")

    async def __aenter__(self):
        calls.append("enter async")

    async def __aexit__(self, *exc):
        calls.append("leave async")


class Telling(WebSocketHandler):
    def on_open(self):
        calls.append("open")

    def on_message(self, message):
        calls.append(message)
        if message == "fail":
            raise LookupError(message)
        self.send_json(held())

    def on_error(self, error):
        calls.append(f"error {error}")

    def on_close(self):
        calls.append("close")


class AsyncTelling(Telling):
    async def on_message(self, message):
        calls.append(message)
        if message == "fail":
            raise LookupError(message)
        self.send_json([held(), await sync_to_async(held)()])


@pytest.fixture
def serve_within(serve_beside):
    def serve(*names, view=Telling, **changed):
        paths = [f"{__name__}.{name}" for name in names]
        view = view.as_view() if isinstance(view, type) else view
        return serve_beside(view, WEBSOCKET_CONTEXTS=paths, **changed)

    return serve


def around(*called):
    return ["enter outer", "enter inner", *called, "leave inner", "leave outer"]


def test_each_call_is_within_them_the_first_is_the_outermost(serve_within):
    with serve_within("outer", "inner").websocket("/") as session:
        for message in ("one", "two"):
            session.send(message)
            session.receive_json()
    assert calls == ["open", *around("one"), *around("two"), *around("close")]


def test_they_see_what_a_call_raises(serve_within, caplog):
    session = serve_within("outer").websocket("/")
    session.send("fail")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    assert calls == [
        "open",
        *("enter outer", "fail", "outer sees fail", "leave outer"),
        *("enter outer", "error fail", "leave outer"),
        *("enter outer", "close", "leave outer"),
    ]
    [record] = caplog.records
    assert record.exc_info[0] is LookupError


def test_what_they_hold_is_there_in_each_call_and_gone_behind_it(serve_within):
    client = serve_within("holding")
    with client.websocket("/?value=a") as one, client.websocket("/?value=b") as two:
        for _ in range(10):
            one.send("tell")
            two.send("tell")
            assert (one.receive_json(), two.receive_json()) == (["a"] * 3, ["b"] * 3)
    with serve_within().websocket("/") as session:
        session.send("tell")
        assert session.receive_json() == [None] * 3


def nothing(request):
    return None


def raising(request):
    raise LookupError("in the function")


@contextmanager
def raising_later(request):
    if "late" in request.GET and "open" in calls:
        raise LookupError("in entering")
    yield


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("nothing", ImproperlyConfigured, "nothing has returned None, which is no context manager"),
        ("asynchronous", ImproperlyConfigured, "the methods of this handler are plain 'def'"),
        ("raising", LookupError, "in the function"),
    ],
)
def test_what_cannot_work_is_refused(serve_within, caplog, name, error, text):
    with pytest.raises(WebSocketRefused) as caught:
        serve_within("outer", name).websocket("/")
    assert caught.value.status_code == 500
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.exc_info[0] is error
    assert text in str(record.exc_info[1])
    assert "open" not in calls


@pytest.mark.parametrize("view", [Telling, AsyncTelling])
def test_one_that_cannot_be_entered_is_the_end_of_its_connection(serve_within, caplog, view):
    """Nothing is called that should have been within it."""
    client = serve_within("raising_later", view=view)
    session = client.websocket("/?late")
    wait_until(lambda: "open" in calls)
    session.send("message")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    assert calls in (["open"], ["open", "message"])  # an async call, and not what it calls
    assert all(record.name == "django.request" for record in caplog.records)
    error = caplog.records[0].exc_info[1]
    assert f"{__name__}.raising_later cannot be entered (LookupError('in entering'))" in str(error)
    calls.clear()
    with client.websocket("/") as session:
        session.send("another")
        session.receive_json()


def test_a_coroutine_is_within_async_ones(serve_within):
    client = serve_within("asynchronous", view=AsyncTelling)
    with client.websocket("/?value=a") as one, client.websocket("/?value=b") as two:
        for _ in range(3):
            one.send("tell")
            two.send("tell")
            assert one.receive_json() == [[None, "a", None]] * 2
            assert two.receive_json() == [[None, "b", None]] * 2
    assert calls.index("enter asynchronous") < calls.index("tell")
    assert calls.count("enter asynchronous") == calls.count("leave asynchronous")


def test_its_plain_calls_are_within_plain_ones(serve_within):
    client = serve_within("holding", view=AsyncTelling)
    with client.websocket("/?value=a") as one, client.websocket("/?value=b") as two:
        for _ in range(3):
            one.send("tell")
            two.send("tell")
            assert one.receive_json() == [[None] * 3, ["a"] * 3]
            assert two.receive_json() == [[None] * 3, ["b"] * 3]


def test_what_is_both_is_both(serve_within):
    with serve_within("Both", view=AsyncTelling).websocket("/") as session:
        session.send("tell")
        session.receive_json()
        assert "enter async" in calls
        assert "enter plain" in calls
    calls.clear()
    with serve_within("Both").websocket("/") as session:
        session.send("tell")
        session.receive_json()
    assert "enter async" not in calls


@require_websocket
async def telling(request):
    async for message in request.websocket:
        if message == "fail":
            raise LookupError(message)
        await request.websocket.asend(str([held(), await sync_to_async(held)()]))


def test_an_async_view_is_within_them_all_the_time(serve_within):
    """Whatever thread its plain calls run in."""
    client = serve_within("holding", "asynchronous", view=telling)
    with client.websocket("/?value=a") as session:
        for _ in range(3):
            session.send("tell")
            assert session.receive() == str([[None, "a", None], ["a", "a", "a"]])
    assert [call for call in calls if "asynchronous" in call] == [
        "enter asynchronous",
        "leave asynchronous",
    ]


def test_they_see_what_an_async_view_raises(serve_within, caplog):
    session = serve_within("Seeing", view=telling).websocket("/")
    session.send("fail")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    assert calls == ["enter async", "sees fail"]


class Seeing(Both):
    def __enter__(self):
        pass

    def __exit__(self, *exc):
        pass

    async def __aexit__(self, error_class, error, traceback):
        calls.append(f"sees {error}")


class WithTask(WebSocketHandler):
    async def on_message(self, message):
        self.start_task("tell", self.tell)

    async def tell(self):
        self.send_json([held(), await sync_to_async(held)()])


def test_tasks_are_within_them(serve_within):
    client = serve_within("holding", "asynchronous", view=WithTask)
    with client.websocket("/?value=a") as session:
        session.send("go")
        assert session.receive_json() == [[None, "a", None], ["a", "a", "a"]]


@asynccontextmanager
async def failing_for_tasks(request):
    if "go" in calls:
        raise LookupError("in entering")
    yield


@pytest.mark.parametrize("query", ["", "?late"])
def test_a_task_that_cannot_be_within_them_is_the_end(serve_within, caplog, query):
    """In itself, or in what it calls."""

    class Failing(WithTask):
        async def on_message(self, message):
            calls.append("open")
            await super().on_message(message)
            calls.append("go")

    name = "raising_later" if query else "failing_for_tasks"
    session = serve_within(name, view=Failing).websocket("/" + query)
    session.send("go")
    with pytest.raises(ConnectionClosed) as caught:
        session.receive()
    assert caught.value.code == 1011
    session.close()
    assert "cannot be entered" in str(caplog.records[0].exc_info[1])


class Forgetting(Telling):
    keep_request = False


@contextmanager
def keeping(request):
    local.value = f"{request.path} {request.color}"
    yield
    del local.value


keeping.keeps = ["color", "nothing"]


@pytest.mark.parametrize("view", [Forgetting])
def test_what_they_need_is_kept_of_a_request(serve_within, view):
    class Colored(view):
        def on_open(self):
            self.request.color = "blue"

    with serve_within("keeping", view=Colored).websocket("/") as session:
        session.send("tell")
        assert session.receive_json() == [None, "/ blue", None]


def test_a_kept_request_keeps_nothing_lazy():
    class Request(SimpleNamespace):
        pass

    tenant = SimpleNamespace(name="acme")
    request = Request(path="/", user=None)
    request.tenant = SimpleLazyObject(lambda: request and tenant)
    kept = KeptRequest(request, ["tenant", "nothing"])
    assert kept.tenant.name == "acme"
    assert type(kept.tenant) is SimpleNamespace
    with pytest.raises(AttributeError, match=r"request\.nothing is gone"):
        kept.nothing  # noqa: B018


@pytest.mark.parametrize("view", [Telling, AsyncTelling])
def test_a_handler_that_is_held_in_its_request_is_within_them(site, view):
    """What middleware has set up, too, is around it there: they nest."""
    client = site.serve(view.as_view(), WEBSOCKET_CONTEXTS=[f"{__name__}.holding"])
    for value in ("a", "b"):
        with client.websocket(f"/?value={value}", in_request=True) as session:
            for _ in range(2):
                session.send("message")
                held = session.receive_json()
                assert (held if view is Telling else held[1]) == [value] * 3
    assert calls == ["open", "message", "message", "close"] * 2


def test_a_plain_view_is_not(site):
    """It is within its middleware."""
    client = site.serve(plain_view, WEBSOCKET_CONTEXTS=[f"{__name__}.outer"])
    with client.websocket("/") as session:
        assert session.receive() == "hello"
    assert calls == []


@require_websocket
def plain_view(request):
    request.websocket.send("hello")
