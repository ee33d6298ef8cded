import pytest
from chat import views
from django.contrib.auth import get_user_model
from django.test import TestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient, WebSocketRefused

urlpatterns = [path("echo/", views.echo), path("progress/", views.progress)]


@override_settings(ROOT_URLCONF=__name__)
class Errors(TestCase):
    client_class = WebSocketClient

    def test_a_login_above(self):
        with pytest.raises(WebSocketRefused) as caught:
            self.client.websocket("/echo/")
        assert caught.value.status_code == 302
        self.client.force_login(get_user_model().objects.create(username="ada"))
        with self.client.websocket("/echo/") as websocket:
            websocket.send("Hello")
            assert websocket.receive() == "Hello"

    def test_a_loop_that_looks(self):
        with self.client.websocket("/progress/"):
            pass  # waits for the view
