import pytest
from chat import views
from django.contrib.auth.models import User
from django.core import signing
from django.test import TestCase, override_settings
from django.urls import path

from dwebsocket import ConnectionClosed
from dwebsocket.testing import WebSocketClient, WebSocketRefused

urlpatterns = [
    path("whoami/", views.whoami),
    path("members/", views.members_only),
    path("careful/", views.careful),
    path("token/", views.by_token),
]


@override_settings(ROOT_URLCONF=__name__)
class Authentication(TestCase):
    client_class = WebSocketClient

    def setUp(self):
        self.ada = User.objects.create_user("ada")

    def refusal(self, path, **options):
        with pytest.raises(WebSocketRefused) as caught:
            self.client.websocket(path, **options)
        return caught.value.status_code

    def close_of(self, websocket):
        with pytest.raises(ConnectionClosed) as caught:
            websocket.receive()
        return caught.value.code, caught.value.reason

    def test_login_required(self):
        assert self.refusal("/whoami/") == 302
        self.client.force_login(self.ada)
        with self.client.websocket("/whoami/") as websocket:
            assert websocket.receive() == "ada"

    def test_a_code_of_our_own(self):
        with self.client.websocket("/members/") as websocket:
            assert self.close_of(websocket) == (4001, "Log in first")
        self.client.force_login(self.ada)
        with self.client.websocket("/members/") as websocket:
            assert websocket.receive() == "Welcome"

    def test_logout_is_noticed(self):
        self.client.force_login(self.ada)
        with self.client.websocket("/careful/") as websocket:
            websocket.send("one")
            assert websocket.receive() == "one"
            self.client.logout()
            websocket.send("two")
            assert self.close_of(websocket) == (4001, "You have logged out")

    def test_token(self):
        with self.client.websocket("/token/") as websocket:
            websocket.send(signing.dumps("ada", salt="chat"))
            assert websocket.receive() == "Hello ada"
        with self.client.websocket("/token/") as websocket:
            websocket.send("forged")
            assert self.close_of(websocket) == (4001, "No good token")

    def test_origin(self):
        assert self.refusal("/members/", origin="https://evil.example") == 403
        assert self.refusal("/members/", origin="null") == 403
        for origin in ["http://testserver", "https://www.example.com", "https://a.b.example.org"]:
            with self.client.websocket("/members/", origin=origin) as websocket:
                assert self.close_of(websocket)[0] == 4001
