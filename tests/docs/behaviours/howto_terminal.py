import pytest
from chat import views
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import TestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient, WebSocketRefused

urlpatterns = [path("shell/", views.shell)]


@override_settings(ROOT_URLCONF=__name__)
class Terminal(TestCase):
    client_class = WebSocketClient

    def test_strangers_are_refused(self):
        with pytest.raises(WebSocketRefused):
            self.client.websocket("/shell/")

    def test_several_commands_in_one_packet_and_the_end(self):
        ada = User.objects.create_user("ada")
        content_type = ContentType.objects.create(app_label="chat", model="shell")
        permission = Permission.objects.create(codename="use_shell", content_type=content_type)
        ada.user_permissions.add(permission)
        self.client.force_login(ada)
        with self.client.websocket("/shell/") as websocket:
            for number in range(3):
                websocket.send(f"echo number {number}\n")
            received = b""
            while received.count(b"\n") < 3:
                received += websocket.receive()
            assert received == b"number 0\nnumber 1\nnumber 2\n"
