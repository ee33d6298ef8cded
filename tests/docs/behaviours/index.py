from chat import views
from django.test import SimpleTestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient

urlpatterns = [path("echo/", views.echo)]


@override_settings(ROOT_URLCONF=__name__)
class Index(SimpleTestCase):
    def test_echo(self):
        with WebSocketClient().websocket("/echo/") as websocket:
            websocket.send(b"Hello")
            assert websocket.receive() == b"Hello"
