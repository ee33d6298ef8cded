from django.contrib.auth.models import User
from django.test import TestCase, override_settings

from dwebsocket.testing import WebSocketClient


class ContextTests(TestCase):
    client_class = WebSocketClient

    def ask(self, **options):
        with self.client.websocket("/last-query/", **options) as websocket:
            websocket.send("whose?")
            return websocket.receive()

    def test_queries_are_signed(self):
        ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
        for user in (ada, bob, ada):
            self.client.force_login(user)
            assert self.ask().startswith(f"/* user {user.pk} */ SELECT")

    def test_in_the_request_there_are_no_contexts(self):
        assert self.ask(in_request=True).startswith("SELECT")

    @override_settings(WEBSOCKET_CONTEXTS=[])
    def test_without_it_they_are_not(self):
        assert self.ask().startswith("SELECT")
