from chat import views
from django.test import SimpleTestCase, override_settings
from django.urls import path
from django.utils.dateparse import parse_datetime

from dwebsocket.testing import WebSocketClient

urlpatterns = [path("clock/", views.clock), path("strict/", views.strict)]


@override_settings(ROOT_URLCONF=__name__)
class JSON(SimpleTestCase):
    client_class = WebSocketClient

    def test_clock(self):
        with self.client.websocket("/clock/") as websocket:
            websocket.send_json([1, {"two": 3}])
            answer = websocket.receive_json()
            assert answer["answer_to"] == [1, {"two": 3}]
            assert parse_datetime(answer["time"]) is not None

    def test_strict(self):
        with self.client.websocket("/strict/") as websocket:
            for sent, answer in [
                ("{", {"error": "That was no JSON."}),
                ("[]", {"error": "I need a room."}),
                ('{"room": "lobby"}', {"entered": "lobby"}),
            ]:
                websocket.send(sent)
                assert websocket.receive_json() == answer
