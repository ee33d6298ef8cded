import pytest
from chat import marked, views
from django.test import SimpleTestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient, WebSocketRefused


def plain(request):
    raise AssertionError("must not be called")


urlpatterns = [
    path("echo/", views.echo),
    path("lower/", views.lower_case),
    path("class/", views.Echo.as_view()),
    path("marked/", marked.echo),
    path("plain/", plain),
]


@override_settings(ROOT_URLCONF=__name__)
class Decorators(SimpleTestCase):
    client_class = WebSocketClient

    def test_every_kind_of_view(self):
        for address in ["/echo/", "/class/", "/marked/"]:
            with self.subTest(address), self.client.websocket(address) as websocket:
                websocket.send("Hello")
                assert websocket.receive() == "Hello"

    def test_both(self):
        with self.client.websocket("/lower/") as websocket:
            websocket.send("HELLO")
            assert websocket.receive() == "hello"
        self.assertContains(self.client.get("/lower/?message=HELLO"), "hello")

    def test_plain_http(self):
        for address in ["/echo/", "/class/"]:
            self.assertContains(self.client.get(address), "WebSockets only", status_code=400)

    def test_the_middleware_refuses(self):
        with pytest.raises(WebSocketRefused) as caught:
            self.client.websocket("/plain/")
        assert caught.value.status_code == 400
