from chat import views
from django.test import SimpleTestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient

urlpatterns = [path("<slug:room>/", views.chat)]


@override_settings(ROOT_URLCONF=__name__)
class Handler(SimpleTestCase):
    def test_loop(self):
        with WebSocketClient().websocket("/lobby/") as websocket:
            assert websocket.receive_json() == {"entered": "lobby"}
            websocket.send_json("Hello")
            assert websocket.receive_json() == {"said": "Hello"}
