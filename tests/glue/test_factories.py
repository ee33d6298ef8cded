"""Which factory makes the WebSocket; factories of one's own."""

from io import BytesIO

import pytest
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.backends import get_factory
from dwebsocket.backends.default.factory import WebSocketFactory as DefaultFactory
from dwebsocket.backends.default.websocket import DefaultWebSocket
from dwebsocket.exceptions import InvalidWebSocketBackend, SocketTakeoverError
from dwebsocket.factory import WebSocketFactory

from ..raw_client import KEY
from .site import OURS

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


class LoudWebSocket(DefaultWebSocket):
    def send(self, message):
        super().send(message.upper())


class LoudFactory(DefaultFactory):
    def create_websocket(self):
        from dwebsocket.backends.default.servers import find_takeover

        if "quiet" in self.request.GET:
            return super().create_websocket()
        return self.build(LoudWebSocket, self.request, find_takeover(self.request.META))


class NeverFactory(WebSocketFactory):
    def create_websocket(self):
        return None


class EmptyFactory(WebSocketFactory):
    pass


class BlindFactory(DefaultFactory):
    def is_websocket(self):
        return False


@accept_websocket
def view(request):
    if request.websocket is None:
        return HttpResponse("plain")
    return request.websocket.send("hello")


def path_of(factory):
    return f"{__name__}.{factory.__name__}"


@pytest.fixture
def make_request():
    def make(**meta):
        return RequestFactory().get("/", **meta)

    return make


def test_default(make_request):
    assert type(get_factory(make_request())) is DefaultFactory


def test_setting_is_read_for_each_request(make_request):
    request = make_request()
    with override_settings(WEBSOCKET_FACTORY_CLASS=path_of(LoudFactory)):
        factory = get_factory(request)
    assert type(factory) is LoudFactory
    assert factory.request is request
    assert type(get_factory(request)) is DefaultFactory


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.Factory", "No module named 'nowhere'"),
        ("dwebsocket.conf.Nothing", "Nothing"),
        ("nodots", "nodots"),
    ],
)
def test_bad_path(make_request, path, why):
    with (
        override_settings(WEBSOCKET_FACTORY_CLASS=path),
        pytest.raises(
            InvalidWebSocketBackend, match=f"WEBSOCKET_FACTORY_CLASS is '{path}'"
        ) as caught,
    ):
        get_factory(make_request())
    assert why in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


@pytest.mark.parametrize(
    ("make", "kind", "named"),
    [
        (AsyncRequestFactory, "default.factory.WebSocketFactory", "names a backend for WSGI"),
        (AsyncRequestFactory, "uwsgi.factory.uWsgiWebSocketFactory", "names a backend for WSGI"),
        (RequestFactory, "asgi.factory.WebSocketFactory", "names the ASGI backend"),
        (RequestFactory, "uwsgi.factory.uWsgiWebSocketFactory", "names the uWSGI backend"),
    ],
)
def test_a_backend_for_another_kind_of_server_is_refused(make, kind, named):
    request = make().get("/", headers=HANDSHAKE)
    request._stream = BytesIO()  # as a server's
    with override_settings(WEBSOCKET_FACTORY_CLASS=f"dwebsocket.backends.{kind}"):
        response = view(request)
    assert response.status_code == 501
    assert f"WEBSOCKET_FACTORY_CLASS {named}" in response.text
    assert "Remove the setting" in response.text


def test_ones_own_websocket(site):
    client = site.serve(view, WEBSOCKET_FACTORY_CLASS=path_of(LoudFactory))
    with client.websocket("/") as websocket:
        assert websocket.receive() == "HELLO"
    with client.websocket("/?quiet") as websocket:
        assert websocket.receive() == "hello"


def test_ones_own_websocket_in_the_old_ways(site):
    settings = {"WEBSOCKET_FACTORY_CLASS": path_of(LoudFactory), "WEBSOCKET_LEGACY": True}
    with site.serve(view, **settings).websocket("/") as websocket:
        assert websocket.receive() == "HELLO"


@pytest.mark.parametrize("factory", [NeverFactory, BlindFactory])
def test_a_factory_may_leave_a_request_to_plain_http(site, factory):
    site.serve(view, WEBSOCKET_FACTORY_CLASS=path_of(factory))
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    assert (response.status, response.body) == (200, b"plain")


def test_a_factory_without_create_websocket_is_an_error(site, caplog):
    site.serve(view, WEBSOCKET_FACTORY_CLASS=path_of(EmptyFactory))
    client = site.connect()
    client.send_request("/")
    assert client.read_response().status == 500
    client.join()
    assert caplog.records[0].exc_info[0] is NotImplementedError


@pytest.mark.parametrize("middleware", [[], [OURS]])
def test_a_bad_setting_is_told_in_the_log(site, caplog, middleware):
    site.serve(view, WEBSOCKET_FACTORY_CLASS="nowhere.Factory", MIDDLEWARE=middleware)
    client = site.connect()
    client.send_request("/")
    assert client.read_response().status == 500
    client.join()
    assert caplog.records[0].exc_info[0] is InvalidWebSocketBackend


@pytest.mark.parametrize(
    ("upgrade", "asked"),
    [
        ("websocket", True),
        ("WebSocket", True),
        ("h2c, websocket", True),
        (" websocket ", True),
        ("websockets", False),
        ("h2c", False),
        ("", False),
        (None, False),
    ],
)
def test_what_asks_for_a_websocket(make_request, upgrade, asked):
    factory = DefaultFactory(
        make_request(**({"HTTP_UPGRADE": upgrade} if upgrade is not None else {}))
    )
    assert factory.is_websocket() is asked
    if not asked:
        assert factory.create_websocket() is None


def test_version(make_request):
    assert DefaultFactory(make_request()).get_websocket_version() is None
    factory = DefaultFactory(make_request(HTTP_SEC_WEBSOCKET_VERSION="13"))
    assert factory.get_websocket_version() == "13"


def test_unknown_server(make_request):
    request = make_request(HTTP_UPGRADE="websocket", SERVER_SOFTWARE="Mystery/1")
    for call in (DefaultFactory(request).create_websocket, DefaultFactory(request).get_wsgi_sock):
        with pytest.raises(SocketTakeoverError, match="Mystery/1") as caught:
            call()
        assert "django.test.client.FakePayload" in str(caught.value)


def test_get_wsgi_sock_is_the_servers_socket(site, reports):
    @require_websocket
    def with_socket(request):
        sock = DefaultFactory(request).get_wsgi_sock()
        reports(sock.fileno() == request.websocket.fileno())

    with site.serve(with_socket).websocket("/"):
        assert reports.next() is True


def test_key_is_answered(site):
    site.serve(view)
    response = site.open()
    assert KEY == "dGhlIHNhbXBsZSBub25jZQ=="
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in response.received
