from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class Middleware(SimpleTestCase):
    client_class = WebSocketClient

    def test_what_middleware_keeps_is_there_in_every_message(self):
        with (
            self.client.websocket("/where/?room=kitchen") as one,
            self.client.websocket("/where/") as two,
        ):
            for _ in range(3):
                one.send("where?")
                two.send("where?")
                assert one.receive() == "kitchen"
                assert two.receive() == "lobby"
