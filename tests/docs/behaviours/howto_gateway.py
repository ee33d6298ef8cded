from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class Game(SimpleTestCase):
    """Across processes: tests/gateway."""

    def test_moves_are_counted(self):
        with WebSocketClient().websocket("/game/") as websocket:
            for message in ("e4", "e5"):
                websocket.send(message)
            assert [websocket.receive(), websocket.receive()] == ["1: e4", "2: e5"]
