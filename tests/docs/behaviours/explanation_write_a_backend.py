from django.test import SimpleTestCase

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
