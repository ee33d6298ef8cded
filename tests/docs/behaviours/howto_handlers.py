import threading
import time
from contextlib import ExitStack

import pytest
from chat import careful, handlers, lobby, members, notes, orders, prices, reports, ticker
from chat.models import Note
from django.contrib.auth.models import User
from django.db import connection
from django.test import (
    LiveServerTestCase,
    SimpleTestCase,
    TestCase,
    TransactionTestCase,
    override_settings,
)
from django.urls import path
from websockets.sync.client import connect

from dwebsocket import ConnectionClosed, WebSocketHandler
from dwebsocket.testing import WebSocketClient, WebSocketRefused


class Impatient(WebSocketHandler):
    keep_request = False

    def on_message(self, name):
        try:
            found = self.websocket.wait() if name == "wait" else getattr(self.request, name)
        except Exception as error:
            self.send(f"{type(error).__name__}: {error}")
        else:
            self.send(str(found))


urlpatterns = [
    path("impatient/", Impatient.as_view()),
    path("echo/", handlers.Echo.as_view()),
    path("lobby/", lobby.Lobby.as_view()),
    path("members/", members.Members.as_view()),
    path("orders/", orders.Orders.as_view()),
    path("notes/", notes.Notes.as_view()),
    path("ticker/", ticker.Ticker.as_view()),
    path("reports/", reports.Reports.as_view()),
    path("careful/", careful.Careful.as_view()),
    path("prices/", prices.Prices.as_view()),
]


def wait_until(condition):
    """on_open() is called behind the 101."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "not within 30 seconds"
        time.sleep(0.01)


def close_of(websocket):
    with pytest.raises(ConnectionClosed) as caught:
        websocket.receive()
    return caught.value.code, caught.value.reason


@override_settings(ROOT_URLCONF=__name__)
class Handlers(SimpleTestCase):
    client_class = WebSocketClient

    def test_echo_and_plain_http(self):
        with self.client.websocket("/echo/") as websocket:
            for message in ["Hello", b"Hello"]:
                websocket.send(message)
                assert websocket.receive() == message
        self.assertContains(self.client.get("/echo/"), "WebSockets only", status_code=400)

    def test_lobby(self):
        with self.client.websocket("/lobby/?name=Ada") as ada:
            assert ada.receive() == "Ada has come"
            with self.client.websocket("/lobby/?name=Bob") as bob:
                assert ada.receive() == bob.receive() == "Bob has come"
                ada.send("Hello")
                assert ada.receive() == bob.receive() == "Ada: Hello"
            assert ada.receive() == "Bob has left"
        assert not lobby.members

    def test_json(self):
        with self.client.websocket("/orders/") as websocket:
            websocket.send_json({"item": "tea"})
            assert websocket.receive_json()["ordered"] == "tea"
            websocket.send_json([])
            assert close_of(websocket) == (4000, "I need an item")

    def test_no_json(self):
        with self.client.websocket("/orders/") as websocket, self.assertNoLogs("django.request"):
            websocket.send("{")
            assert "error" in websocket.receive_json()
            assert close_of(websocket)[0] == 1007

    def test_timer(self):
        with self.client.websocket("/ticker/") as websocket:
            assert "time" in websocket.receive_json()
        assert not ticker.viewers

    def test_another_thread(self):
        with self.client.websocket("/reports/") as websocket:
            websocket.send("rain")
            websocket.send("snow")
            told = {websocket.receive(), websocket.receive()}
            assert told == {"Report on rain", "Report on snow"}

    def test_errors(self):
        with (
            self.assertLogs("django.request", "ERROR") as logged,
            self.client.websocket("/careful/", raise_request_exception=False) as websocket,
        ):
            websocket.send("2")
            assert websocket.receive() == "0.5"
            websocket.send("0")
            assert websocket.receive() == "Sorry, that went wrong"
            assert close_of(websocket)[0] == 1011
        assert careful.failures == ["/careful/"]
        assert ["ZeroDivisionError" in line for line in logged.output] == [True]


@override_settings(ROOT_URLCONF=__name__)
class Members(TestCase):
    client_class = WebSocketClient

    def test_strangers_are_refused(self):
        with pytest.raises(WebSocketRefused) as caught:
            self.client.websocket("/members/")
        assert caught.value.status_code == 302

    def test_members(self):
        self.client.force_login(User.objects.create_user("ada"))
        for _ in range(2):
            with self.client.websocket("/members/", subprotocols=["chat.v1"]) as websocket:
                assert websocket.subprotocol == "chat.v1"
                assert websocket.receive() == "Welcome, ada"
        assert self.client.session["visits"] == 2


@override_settings(ROOT_URLCONF=__name__)
class AsyncHandlers(TestCase):
    client_class = WebSocketClient

    def test_strangers_are_turned_away_by_the_middleware(self):
        with self.client.websocket("/prices/") as websocket:
            assert close_of(websocket) == (4003, "Not for you")

    def test_a_second_task_takes_the_place_of_the_first(self):
        self.client.force_login(User.objects.create_superuser("ada"))
        with self.client.websocket("/prices/") as websocket:
            websocket.send_json("GOOG")
            for _ in range(2):
                assert list(websocket.receive_json()) == ["GOOG"]
            websocket.send_json("ACME")
            # One of the other may have been on its way.
            symbols = [*websocket.receive_json(), *websocket.receive_json()]
            assert symbols in (["GOOG", "ACME"], ["ACME", "ACME"])
            assert list(websocket.receive_json()) == ["ACME"]


@override_settings(ROOT_URLCONF=__name__)
class OnAServer(LiveServerTestCase):
    """What the test client, which holds handlers in its thread, cannot show."""

    def connect(self, address, **options):
        url = self.live_server_url.replace("http", "ws") + address
        return connect(url, ping_interval=None, **options)

    def test_session_is_saved_while_the_connection_is_open(self):
        self.client.force_login(User.objects.create_user("ada"))
        cookies = {"Cookie": f"sessionid={self.client.cookies['sessionid'].value}"}
        with self.connect("/members/", additional_headers=cookies) as websocket:
            assert websocket.recv(30) == "Welcome, ada"
            wait_until(lambda: self.client.session.get("visits") == 1)
            websocket.ping().wait(30)

    def test_handlers_hold_no_threads(self):
        with ExitStack() as stack:
            opened = [stack.enter_context(self.connect("/echo/")) for _ in range(20)]
            for websocket in opened:
                websocket.send("Hello")
                assert websocket.recv(30) == "Hello"
            # The server's threads are called so: of their requests none is left.
            wait_until(
                lambda: not [t for t in threading.enumerate() if "process_request" in t.name]
            )

    def test_what_is_for_views_and_what_is_gone(self):
        self.client.force_login(User.objects.create_user("ada"))
        cookies = {"Cookie": f"sessionid={self.client.cookies['sessionid'].value}"}
        with self.connect("/impatient/", additional_headers=cookies) as websocket:
            for name, error in {
                "wait": "InvalidState: a handler's messages come to on_message()",
                "path": "/impatient/",
                "user": "ada",
                "headers": "AttributeError: request.headers is gone",
            }.items():
                websocket.send(name)
                assert websocket.recv(30).startswith(error)


@override_settings(ROOT_URLCONF=__name__)
class Notes(TransactionTestCase):
    client_class = WebSocketClient

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with connection.schema_editor() as editor:
            editor.create_model(Note)

    @classmethod
    def tearDownClass(cls):
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
        super().tearDownClass()

    def test_commit_is_told_to_the_recipient(self):
        ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
        self.client.force_login(ada)
        with self.client.websocket("/notes/") as websocket:
            wait_until(lambda: notes.online[ada.pk])
            Note.objects.create(recipient=bob, text="not for ada")
            Note.objects.create(recipient=ada, text="for ada")
            assert websocket.receive_json() == {"text": "for ada"}
        assert not notes.online[ada.pk]
