from chat import handlers, views
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import TransactionTestCase

from dwebsocket.testing import WebSocketClient


class HTML(TransactionTestCase):
    client_class = WebSocketClient

    def test_notes_of_htmx(self):
        empty = '<ul id="notes" hx-swap-oob="true"></ul>'
        note = '<ul id="notes" hx-swap-oob="beforeend"><li>%s</li></ul>'
        with self.client.websocket("/ws/notes/") as first:
            assert first.receive().strip() == empty
            first.send_json({"text": "<b>", "HEADERS": {"HX-Request": "true"}})
            assert first.receive().strip() == note % "&lt;b&gt;"
        with self.client.websocket("/ws/notes/") as later:
            assert later.receive().strip() == empty
            assert later.receive().strip() == note % "&lt;b&gt;"
        assert len(handlers.notes.history().messages) == 1

    def test_a_form_of_turbo(self):
        with self.client.websocket("/ws/streams/") as page:
            assert 'action="update"' in page.receive()
            assert self.client.post("/turbo/", {"text": "from HTTP"}).status_code == 204
            assert "<li>from HTTP</li>" in page.receive()
        assert len(views.streams.history().messages) == 1

    def test_in_async_code_the_database_is_asked(self):
        User.objects.create_user("ada")
        with self.client.websocket("/ws/people/") as page:
            assert page.receive().strip() == '<ul id="people"><li>ada</li></ul>'

    def test_heads_load_the_client(self):
        for name in ("head_htmx2.html", "head_turbo.html"):
            assert '<script src="/static/dwebsocket/websocket.js">' in render_to_string(name)
