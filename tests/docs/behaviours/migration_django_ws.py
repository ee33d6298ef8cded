from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class MySocket(SimpleTestCase):
    """On a real server: test_migration.py."""

    def test_reply(self):
        with WebSocketClient().websocket("/ws") as websocket:
            websocket.send_json({"a": 1})
            assert websocket.receive_json() == {"reply": {"a": 1}}


class Greeting(SimpleTestCase):
    def test_the_first_message_is_another_one(self):
        with WebSocketClient().websocket("/socket/") as websocket:
            for message in ("Ada", "hello", "again"):
                websocket.send(message)
            assert [websocket.receive(), websocket.receive()] == ["Ada: hello", "Ada: again"]
