import threading

from chat import queues, views
from chat.models import Note
from chat.online import websockets
from django.contrib.auth.models import User
from django.db import connection
from django.test import TestCase, TransactionTestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient

urlpatterns = [
    path("ticker/", views.ticker),
    path("notes/", views.notes),
    path("news/", queues.news),
]


def wait_until(condition):
    for _ in range(3000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("not within 30 seconds")


@override_settings(ROOT_URLCONF=__name__)
class Push(TestCase):
    client_class = WebSocketClient

    def test_ticker_ends_by_itself(self):
        with self.client.websocket("/ticker/") as websocket:
            assert "time" in websocket.receive_json()
        # close() has waited for the end of the view

    def test_queue(self):
        with self.client.websocket("/news/") as websocket:
            wait_until(lambda: queues.inboxes)
            queues.publish("Hear, hear")
            assert websocket.receive() == "Hear, hear"
        assert not queues.inboxes


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
            wait_until(lambda: websockets[ada.pk])
            Note.objects.create(recipient=bob, text="not for ada")
            Note.objects.create(recipient=ada, text="for ada")
            assert websocket.receive_json() == {"text": "for ada"}
        assert not websockets[ada.pk]
