from django.test import SimpleTestCase

from dwebsocket.testing import WebSocketClient


class Chat(SimpleTestCase):
    def test_page(self):
        self.assertContains(self.client.get("/lobby/"), "<h1>lobby</h1>")

    def test_who_has_left_gets_nothing_and_harms_nobody(self):
        client = WebSocketClient()
        with client.websocket("/lobby/socket/") as ada:
            assert ada.receive() == "Welcome to lobby"
            with client.websocket("/lobby/socket/") as bob:
                assert bob.receive() == "Welcome to lobby"
            ada.send("Still here?")
            assert ada.receive() == "Still here?"
