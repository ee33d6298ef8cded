from chat import handlers
from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class Deploy(SimpleTestCase):
    client_class = WebSocketClient

    def test_the_room_counts(self):
        with self.client.websocket("/ws/lobby/") as socket:
            socket.send("a")
            socket.send("b")
            assert [socket.receive(), socket.receive()] == ["1: a", "2: b"]

    def test_its_state_is_what_it_goes_on_with(self):
        old, new = handlers.Room(), handlers.Room()
        old.count, new.join = 5, lambda: None
        new.on_resume(old.get_state())
        assert new.count == 5
