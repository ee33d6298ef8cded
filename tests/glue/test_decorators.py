"""accept_websocket and require_websocket on functions: forms, arguments, wrong use."""

from functools import wraps

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.views import View

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.upgrade.order import find_call_in_thread

DECORATORS = [accept_websocket, require_websocket]


def echo_once(request):
    """Says it back."""
    if request.websocket is None:
        return HttpResponse("plain")
    return request.websocket.send(request.websocket.wait())


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize("options", [None, {}, {"subprotocols": ["chat"], "auto_accept": True}])
def test_with_and_without_arguments(site, decorator, options):
    view = decorator(echo_once) if options is None else decorator(**options)(echo_once)
    with site.serve(view).websocket("/") as websocket:
        websocket.send("hello")
        assert websocket.receive() == "hello"


def test_an_async_view_is_called_in_a_thread_only_where_nobody_stands_around_it():
    @require_websocket
    async def view(request):
        pass

    @wraps(view)  # it has the view's attributes, too
    async def outer(request):
        raise PermissionDenied

    assert find_call_in_thread(view) is not view
    assert find_call_in_thread(outer) is outer
    assert find_call_in_thread(echo_once) is echo_once


@pytest.mark.parametrize("decorator", DECORATORS)
def test_the_view_keeps_its_name(decorator):
    view = decorator(echo_once)
    assert (view.__name__, view.__doc__) == ("echo_once", "Says it back.")
    assert view.__wrapped__ is echo_once


def test_marks_of_earlier_releases_are_set():
    assert accept_websocket(echo_once).accept_websocket is True
    assert accept_websocket(echo_once).require_websocket is False
    assert require_websocket(echo_once).accept_websocket is True
    assert require_websocket(echo_once).require_websocket is True
    assert accept_websocket(require_websocket(echo_once)).require_websocket is True
    assert not hasattr(echo_once, "accept_websocket")


@pytest.mark.parametrize(
    ("offered", "spoken", "agreed"),
    [
        (["chat"], ["chat"], "chat"),
        (["a", "b"], ["b", "a"], "b"),  # the view's order counts
        (["a", "b"], ("b",), "b"),
        (["a"], ["b"], None),
        (["a"], [], None),
        ([], ["a"], None),
    ],
)
def test_subprotocols(site, reports, offered, spoken, agreed):
    @require_websocket(subprotocols=spoken)
    def view(request):
        reports(request.websocket.subprotocol)

    with site.serve(view).websocket("/", subprotocols=offered) as websocket:
        assert websocket.subprotocol == reports.next() == agreed


@pytest.mark.parametrize("outer", DECORATORS)
@pytest.mark.parametrize("inner", DECORATORS)
def test_two_decorators_are_one_handshake(site, outer, inner):
    site.serve(outer(inner(echo_once)))
    client = site.open()
    client.send_text("hello")
    assert client.read_text() == "hello"
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""
    assert client.received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("outer", DECORATORS)
@pytest.mark.parametrize("inner", DECORATORS)
def test_two_decorators_on_plain_http(site, outer, inner):
    response = site.serve(outer(inner(echo_once))).get("/")
    assert response.status_code == (400 if require_websocket in (outer, inner) else 200)


def test_the_outer_decorator_of_two_decides_the_terms(site, reports):
    @require_websocket(subprotocols=["outer"])
    @require_websocket(subprotocols=["inner"])
    def view(request):
        reports(request.websocket.subprotocol)

    with site.serve(view).websocket("/", subprotocols=["inner", "outer"]) as websocket:
        assert websocket.subprotocol == reports.next() == "outer"


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize("wrong", ["chat", ["chat"], 5])
def test_options_are_named(decorator, wrong):
    with pytest.raises(TypeError, match=r"takes a view, not .*subprotocols="):
        decorator(wrong)


@pytest.mark.parametrize("decorator", DECORATORS)
def test_subprotocols_are_a_list(decorator):
    with pytest.raises(TypeError, match=r"'chat'.* list"):
        decorator(subprotocols="chat")


def test_on_a_method_the_error_names_method_decorator(site):
    class Page(View):
        @accept_websocket
        def get(self, request):
            raise AssertionError("not reached")

    client = site.serve(Page.as_view())
    with pytest.raises(TypeError, match=r"Page\.get .*method_decorator"):
        client.get("/")


def test_is_websocket_is_called_or_not(site, reports):
    @accept_websocket
    def view(request):
        reports(request.is_websocket())
        reports(request.websocket is not None)
        return HttpResponse("plain")

    client = site.serve(view)
    client.get("/")
    assert reports.all() == [False, False]
    with client.websocket("/"):
        pass
    assert reports.all() == [True, True]


def test_a_direct_call_of_a_decorated_view(rf):
    response = accept_websocket(echo_once)(rf.get("/"))
    assert response.content == b"plain"


@pytest.fixture
def rf():
    from django.test import RequestFactory

    return RequestFactory()
