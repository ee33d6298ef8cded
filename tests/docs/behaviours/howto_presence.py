import time

from chat.stadium import Stadium
from django.contrib.auth.models import User
from django.test import TestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient

urlpatterns = [path("stadium/", Stadium.as_view())]


class Rooms(TestCase):
    client_class = WebSocketClient

    def people(self):
        return self.client.get("/people/lobby/").json()

    def log_in(self, name):
        client = WebSocketClient()
        client.force_login(User.objects.create_user(name))
        return client

    @override_settings(WEBSOCKET_PRESENCE_GRACE=0.2)
    def test_people_come_change_and_go(self):
        ada, bob = self.log_in("ada"), self.log_in("bob")
        here = {"status": "here"}
        with ada.websocket("/ws/lobby/") as websocket:
            assert websocket.receive_json(10) == {"people": {"ada": here}}
            with bob.websocket("/ws/lobby/") as other:
                both = {"people": {"ada": here, "bob": here}}
                assert websocket.receive_json(10) == other.receive_json(10) == both
                assert self.people() == both["people"]
                other.send("asleep")
                asleep = {"people": {"ada": here, "bob": {"status": "asleep"}}}
                assert websocket.receive_json(10) == other.receive_json(10) == asleep
            assert websocket.receive_json(10) == {"people": {"ada": here}}
        end = time.monotonic() + 10
        while self.people():
            assert time.monotonic() < end
            time.sleep(0.01)

    @override_settings(ROOT_URLCONF=__name__)
    def test_too_many_are_counted(self):
        with self.client.websocket("/stadium/?name=ada") as ada:
            assert ada.receive_json(10) == {"count": 1, "names": ["ada"]}
            Stadium.presence_limit = 1
            with self.client.websocket("/stadium/?name=bob") as bob:
                assert bob.receive_json(10) == {"count": 2, "names": []}
                assert ada.receive_json(10) == {"count": 2, "names": []}
