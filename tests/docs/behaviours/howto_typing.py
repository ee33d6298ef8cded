import pytest
from chat import handlers, members, pages, views
from django.contrib.auth.models import User
from django.test import TestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient, WebSocketRefused

urlpatterns = [
    path("repeat/<int:times>/", views.repeat),
    path("lower/", views.lower_case),
    path("echo/", views.echo),
    path("whoami/", members.whoami),
    path("countdown/<int:start>/", pages.Countdown.as_view()),
    path("chat/<str:room>/", handlers.Chat.as_view()),
    path("calculator/", handlers.Calculator.as_view()),
]


@override_settings(ROOT_URLCONF=__name__)
class Types(TestCase):
    client_class = WebSocketClient

    def test_both(self):
        with self.client.websocket("/lower/") as websocket:
            websocket.send("HELLO")
            assert websocket.receive() == "hello"
        self.assertContains(self.client.get("/lower/?message=HELLO"), "hello")

    def test_async_view(self):
        with self.client.websocket("/echo/", subprotocols=["echo"]) as websocket:
            websocket.send("text")
            assert websocket.receive() == "text"

    def test_members(self):
        with pytest.raises(WebSocketRefused):
            self.client.websocket("/whoami/")
        self.client.force_login(User.objects.create_user("ada", "ada@example.com"))
        with self.client.websocket("/whoami/") as websocket:
            assert websocket.receive() == "ada@example.com"

    def test_class_based_view(self):
        with self.client.websocket("/countdown/1/") as websocket:
            assert [websocket.receive(), websocket.receive()] == ["1", "0"]

    def test_group(self):
        with (
            self.client.websocket("/chat/lobby/") as one,
            self.client.websocket("/chat/lobby/") as other,
        ):
            for _ in range(50):  # the other one joins when its handshake is accepted already
                one.send("text")
                try:
                    assert other.receive(timeout=0.2) == "text"
                    return
                except TimeoutError:
                    pass
            self.fail("the other one has not joined")

    def test_json(self):
        with self.client.websocket("/calculator/") as websocket:
            websocket.send_json({"one": 1, "two": 2})
            assert websocket.receive_json() == {"sum": 3}
