from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class QuickStart(SimpleTestCase):
    client_class = WebSocketClient

    def test_echo(self):
        for address in ["/echo/", "/handler/"]:
            with self.client.websocket(address) as websocket:
                websocket.send("Hello")
                assert websocket.receive() == "Hello"
