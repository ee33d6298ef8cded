from django.contrib.auth.models import User
from django.test import TestCase, override_settings

from dwebsocket.testing import WebSocketClient


class ContextTests(TestCase):
    client_class = WebSocketClient

    def ask(self, **options):
        with self.client.websocket("/signed/", **options) as websocket:
            websocket.send("hello")
            return websocket.receive()

    def test_each_message_has_its_user(self):
        for name in ("ada", "bob"):
            self.client.force_login(User.objects.create_user(name))
            assert self.ask() == f"hello ({name})"

    @override_settings(WEBSOCKET_CONTEXTS=[])
    def test_without_the_context_the_user_is_there_in_the_request_alone(self):
        self.client.force_login(User.objects.create_user("ada"))
        assert self.ask(in_request=True) == "hello (ada)"
        assert self.ask() == "hello (None)"
