import pytest
from django.contrib.auth.models import User
from django.test import TestCase

from dwebsocket.testing import WebSocketClient, WebSocketRefused


class Chat(TestCase):
    client_class = WebSocketClient

    def test_strangers_are_refused(self):
        with pytest.raises(WebSocketRefused):
            self.client.websocket("/ws/chat/lobby/")

    def test_messages_of_a_room(self):
        self.client.force_login(User.objects.create_user("ada"))
        with self.client.websocket("/ws/chat/lobby/") as one:
            one.send_json({"text": "first"})
            assert one.receive_json() == {"from": "ada", "text": "first"}
            with (
                self.client.websocket("/ws/chat/lobby/") as two,
                self.client.websocket("/ws/chat/cellar/") as elsewhere,
            ):
                two.send_json({"text": "second"})
                for websocket in (one, two):
                    assert websocket.receive_json() == {"from": "ada", "text": "second"}
                elsewhere.send_json({"text": "third"})
                assert elsewhere.receive_json() == {"from": "ada", "text": "third"}
