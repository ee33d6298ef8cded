import io
import socket
import threading
from http.client import parse_headers

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import SimpleTestCase, override_settings
from django.urls import path
from websockets.sync.client import connect

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.testing import WebSocketClient


class Backend(SimpleTestCase):
    def test_the_factory_is_used(self):
        with (
            self.assertLogs("chat", "INFO") as logs,
            WebSocketClient().websocket("/echo/") as websocket,
        ):
            websocket.send("Hello")
            assert websocket.receive() == "Hello"
        assert logs.output == ["INFO:chat:sends 5"]


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


urlpatterns = [
    path("view/", view),
    path("coroutine/", coroutine),
    path("handler/", Handler.as_view()),
    path("page/", lambda request: HttpResponse("page")),
]


def read_head(sock):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return io.BytesIO(head)


def serve_one(sock, ended):
    """The server: one request on one socket."""
    head = read_head(sock)
    method, target, protocol = head.readline().decode().split()
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": target,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": protocol,
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
        "own_server.socket": sock,
    }
    for name, value in parse_headers(head).items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    response = WSGIHandler()(environ, lambda status, headers: None)
    b"".join(response)
    response.close()
    sock.close()
    ended.set()


@override_settings(ROOT_URLCONF=__name__, WEBSOCKET_FACTORY_CLASS="chat.own_server.OwnFactory")
class OwnServer(SimpleTestCase):
    def test_all_kinds_of_views(self):
        for name in ["view", "coroutine", "handler"]:
            with self.subTest(name):
                server_end, client_end = socket.socketpair()
                ended = threading.Event()
                threading.Thread(target=serve_one, args=(server_end, ended)).start()
                with connect(f"ws://testserver/{name}/", sock=client_end) as client:
                    if name != "view":  # which runs inside its request
                        assert ended.wait(10), "the request has not ended"
                    client.send("Hello")
                    assert client.recv(10) == "Hello"
                assert client.close_code == 1000
                assert ended.wait(10)
