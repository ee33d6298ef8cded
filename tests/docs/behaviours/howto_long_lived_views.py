from chat import views
from chat.models import Line
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import TransactionTestCase, override_settings
from django.urls import path

from dwebsocket.testing import WebSocketClient

urlpatterns = [
    path("record/<slug:room>/", views.record),
    path("count/", views.count),
    path("slow/", views.slow_echo),
]


@override_settings(ROOT_URLCONF=__name__)
class LongLived(TransactionTestCase):
    client_class = WebSocketClient

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with connection.schema_editor() as editor:
            editor.create_model(Line)

    @classmethod
    def tearDownClass(cls):
        with connection.schema_editor() as editor:
            editor.delete_model(Line)
        super().tearDownClass()

    def test_each_message_is_committed(self):
        with self.client.websocket("/record/lobby/") as websocket:
            websocket.send("one")
            saved = websocket.receive_json()["saved"]
            assert Line.objects.get(pk=saved).text == "one"

    def test_session_is_saved_at_once_and_not_overwritten(self):
        self.client.session["colour"] = "red"
        session = self.client.session
        session["colour"] = "red"
        session.save()
        with self.client.websocket("/count/") as websocket:
            assert websocket.receive() == "1"
            elsewhere = SessionStore(session.session_key)
            assert elsewhere["visits"] == 1
            elsewhere["colour"] = "blue"
            elsewhere.save()
        assert SessionStore(session.session_key)["colour"] == "blue"

    def test_async_view(self):
        with self.client.websocket("/slow/") as websocket:
            websocket.send("one")
            assert websocket.receive() == "one"
