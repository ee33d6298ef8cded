from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class QuickStart(SimpleTestCase):
    client_class = WebSocketClient

    def test_echo(self):
        with self.client.websocket("/echo/") as websocket:
            websocket.send("Hello")
            assert websocket.receive() == "Hello"
