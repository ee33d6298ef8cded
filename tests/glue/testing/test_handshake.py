"""Where a test connects to, and what it says there."""

import pytest
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path, reverse_lazy

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.testing import WebSocketRefused


@require_websocket(subprotocols=["chat"])
def tell(request, **kwargs):
    """Send what the handshake was."""
    names = ("x-token", "x-own", "origin", "cookie")
    request.websocket.send_json(
        {
            "uri": request.build_absolute_uri(),
            "secure": request.is_secure(),
            "query": dict(request.GET.lists()),
            "path": request.path,
            "address": request.META["REMOTE_ADDR"],
            "headers": {name: request.headers[name] for name in names if name in request.headers},
            "cookies": request.COOKIES,
        }
    )


@pytest.fixture
def ask(serve):
    """ask(address, client={…}, **options): what the view has been told."""

    def ask(address, client=None, **options):
        made = serve(
            tell, path("<path:rest>", tell, name="tell"), client=client, ALLOWED_HOSTS=["*"]
        )
        with made.websocket(address, **options) as websocket:
            return websocket.receive_json()

    return ask


@pytest.mark.parametrize(
    ("address", "uri", "secure"),
    [
        ("/a/?b=c", "http://testserver/a/?b=c", False),
        ("ws://chat.test/a/?b=c", "http://chat.test/a/?b=c", False),
        ("ws://chat.test:8000/a/", "http://chat.test:8000/a/", False),
        ("wss://chat.test/a/?b=c", "https://chat.test/a/?b=c", True),
        ("wss://chat.test", "https://chat.test/", True),
    ],
)
def test_addresses(ask, address, uri, secure):
    told = ask(address)
    assert (told["uri"], told["secure"]) == (uri, secure)


def test_a_lazy_address(ask):
    assert ask(reverse_lazy("tell", kwargs={"rest": "x/"}))["path"] == "/x/"


@pytest.mark.parametrize("address", ["/a b/\u20ac/", "/a%20b/%E2%82%AC/"])
def test_what_has_to_be_quoted(ask, address):
    assert ask(address)["path"] == "/a b/\u20ac/"


@pytest.mark.parametrize("address", ["chat/", "", "http://testserver/", "ws:/chat/", "ws://"])
def test_what_is_no_address(serve, address):
    client = serve(tell)
    with pytest.raises(ValueError, match="begins with '/', or 'ws://host/path'"):
        client.websocket(address)


def test_query_params(ask):
    params = {"number": 5, "many": ["a", "b"], "text": "&=\u20ac"}
    query = {"number": ["5"], "many": ["a", "b"], "text": ["&=\u20ac"]}
    assert ask("/", query_params=params)["query"] == query
    assert ask("/?more=1", query_params=params)["query"] == {"more": ["1"], **query}


def test_what_the_client_was_made_with(ask):
    client = {"headers": {"X-Token": "t"}, "query_params": {"a": 1}, "REMOTE_ADDR": "192.0.2.7"}
    told = ask("/", client, headers={"X-Own": "o"})
    assert told["headers"] == {"x-token": "t", "x-own": "o"}
    assert (told["query"], told["address"]) == ({"a": ["1"]}, "192.0.2.7")
    told = ask("/?b=2", client, headers={"x-TOKEN": "other"})
    assert told["headers"] == {"x-token": "other"}
    assert told["query"] == {"b": ["2"]}


def test_a_host_may_be_a_header(ask):
    assert ask("/", headers={"Host": "other.test"})["uri"] == "http://other.test/"


def test_cookies(serve):
    client = serve(tell)
    values = {"plain": "1", "quoted": 'a "b", \u00fc; c'}
    for name, value in values.items():
        client.cookies[name] = value
    with client.websocket("/") as websocket:
        assert websocket.receive_json()["cookies"] == values


def test_subprotocols(serve):
    client = serve(tell)
    with client.websocket("/", subprotocols=["other", "chat"]) as websocket:
        assert websocket.subprotocol == "chat"
    with client.websocket("/") as websocket:
        assert websocket.subprotocol is None


def test_the_origin(serve):
    client = serve(tell)
    with client.websocket("/", origin="http://testserver") as websocket:
        assert websocket.receive_json()["headers"]["origin"] == "http://testserver"
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/", origin="https://evil.test")
    assert caught.value.status_code == 403


def test_a_redirect_says_where_to(serve):
    @accept_websocket(auto_accept=False)
    def view(request):
        response = HttpResponseRedirect("/login/?next=/")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    with pytest.raises(WebSocketRefused) as caught:
        serve(view).websocket("/")
    refusal = caught.value
    assert refusal.location == "/login/?next=/"
    assert refusal.headers["Location"] == refusal.headers["location"] == "/login/?next=/"
    assert "a=1; Path=/, b=2; Path=/" in refusal.headers["Set-Cookie"]
    assert str(refusal) == "refused with 302: redirected to /login/?next=/"


def test_a_refusal_that_redirects_nowhere(serve):
    @accept_websocket(auto_accept=False)
    def view(request):
        return HttpResponse("because", status=403)

    with pytest.raises(WebSocketRefused, match=r"^refused with 403: because$") as caught:
        serve(view).websocket("/")
    assert caught.value.location is None


@require_websocket
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)


@pytest.mark.parametrize("message", [{"a": 1}, ["a"], 5, None])
def test_what_cannot_be_sent(serve, message):
    with serve(echo).websocket("/") as websocket:
        with pytest.raises(
            TypeError, match=rf"not {type(message).__name__}; for JSON use send_json"
        ):
            websocket.send(message)
        for sent in (bytearray(b"a"), memoryview(b"a")):
            websocket.send(sent)
            assert websocket.receive() == b"a"


def test_iteration(serve):
    @require_websocket
    def view(request):
        for number in range(3):
            request.websocket.send(str(number))
        request.websocket.close(4000, "enough")

    with serve(view).websocket("/") as websocket:
        assert list(websocket) == ["0", "1", "2"]
        assert list(websocket) == []
        assert (websocket.close_code, websocket.close_reason) == (4000, "enough")


def test_iteration_does_not_wait_for_ever(serve):
    with serve(echo).websocket("/", timeout=3) as websocket:
        websocket.send("a")
        messages = iter(websocket)
        assert next(messages) == "a"
        with pytest.raises(TimeoutError, match=r"sent nothing for 3 seconds"):
            next(messages)
