import pytest
from chat import views
from django.test import SimpleTestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient, WebSocketRefused

urlpatterns = [path("chat/", views.chat), path("invited/<slug:room>/", views.invited)]


@override_settings(ROOT_URLCONF=__name__)
class Subprotocols(SimpleTestCase):
    client_class = WebSocketClient

    def test_ours_decides(self):
        with self.client.websocket("/chat/", subprotocols=["chat.v1", "chat.v2"]) as websocket:
            assert websocket.subprotocol == "chat.v2"
            assert websocket.receive_json() == {"hello": "world"}
        with self.client.websocket("/chat/", subprotocols=["chat.v1"]) as websocket:
            assert websocket.receive() == "hello world"

    def test_refused(self):
        with pytest.raises(WebSocketRefused) as caught:
            self.client.websocket("/invited/cellar/")
        assert caught.value.status_code == 404
        assert caught.value.content == b"No such room.\n"

    def test_cookie(self):
        self.client.cookies["guest"] = "grace"
        with self.client.websocket("/invited/lobby/") as websocket:
            assert websocket.receive() == "Hello grace"
            headers = websocket._connection.response.headers
            assert headers["Set-Cookie"] == "guest=grace; Path=/; HttpOnly"
