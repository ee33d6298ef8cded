import pytest
from django.test import SimpleTestCase

from dwebsocket import ConnectionClosed
from dwebsocket.testing import WebSocketClient


class AsyncViews(SimpleTestCase):
    client_class = WebSocketClient

    def test_echo(self):
        with self.client.websocket("/echo/") as websocket:
            websocket.send("Hello")
            assert websocket.receive() == "Hello"

    def test_quiz(self):
        for answer, verdict in [("42", "Right"), ("54", "Wrong")]:
            with self.client.websocket("/quiz/") as websocket:
                assert websocket.receive() == "What is six times seven?"
                websocket.send(answer)
                assert websocket.receive() == verdict

    def test_too_slow(self):
        with self.client.websocket("/quiz/") as websocket:
            websocket.receive()
            with pytest.raises(ConnectionClosed) as caught:
                websocket.receive(timeout=10)
            assert (caught.value.code, caught.value.reason) == (4000, "Too slow")


class Addresses(SimpleTestCase):
    client_class = WebSocketClient

    def test_rooms_are_apart(self):
        with self.client.websocket("/ws/lobby/") as ada:
            ada.send("Ada")
            assert ada.receive() == "Ada"  # has joined
            with (
                self.client.websocket("/ws/lobby/") as bob,
                self.client.websocket("/ws/cellar/") as eve,
            ):
                bob.send("Bob")
                assert ada.receive() == bob.receive() == "Bob"
                eve.send("Eve")
                assert eve.receive() == "Eve"

    def test_they_are_for_websockets_alone(self):
        assert self.client.get("/ws/lobby/").status_code == 404
