from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class Client(SimpleTestCase):
    client_class = WebSocketClient

    def test_shout(self):
        with self.client.websocket("/ws/shout/") as page:
            page.send("hello")
            assert page.receive() == "HELLO"

    def test_the_page_loads_the_client(self):
        text = self.client.get("/shout/").content.decode()
        assert '<script src="/static/dwebsocket/websocket.js"></script>' in text
