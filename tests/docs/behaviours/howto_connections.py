import time

from django.contrib.auth.models import Permission, User
from django.test import TestCase, TransactionTestCase

from dwebsocket import connections
from dwebsocket.testing import WebSocketClient


def wait_for(count):
    end = time.monotonic() + 30
    while len(connections.list()) != count:
        assert time.monotonic() < end, connections.list()
        time.sleep(0.01)


class LoggingOut(TransactionTestCase):
    client_class = WebSocketClient

    def test_who_logs_out_is_disconnected(self):
        ada = User.objects.create_user("ada", password="secret")
        bob = WebSocketClient()
        self.client.force_login(ada)
        with bob.websocket("/ws/lobby/") as other, self.client.websocket("/ws/lobby/") as websocket:
            assert websocket.receive() == "Hello, ada"
            assert other.receive() == "Hello, "
            (found,) = connections.list(user="ada")
            assert (found.path, found.user_pk, found.kind) == ("/ws/lobby/", str(ada.pk), "handler")
            assert found.view == "chat.handlers.Chat"
            assert [one.id for one in connections.list(user=ada)] == [found.id]
            self.client.logout()
            assert list(websocket) == []
            assert websocket.close_code == 4001
            assert websocket.close_reason == "You have logged out"
            wait_for(1)
        wait_for(0)


class Permissions(TestCase):
    def test_both_are_there(self):
        found = Permission.objects.filter(content_type__app_label="dwebsocket")
        names = sorted(one.codename for one in found)
        assert names == ["close_connection", "view_connection"]
