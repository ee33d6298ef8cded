"""Notes of a company, for all of its pages: a handler, each call of which is in its schema."""

from django.shortcuts import render

from dwebsocket import Group, WebSocketHandler
from notes.models import Note

SHOWN = 20  # notes a page that opens is sent


class Notes(WebSocketHandler):
    def on_open(self):
        # A group reaches all who are in it: each company has one of its own.
        self.group = Group(f"notes-{self.request.tenant.schema_name}")
        self.group.add(self.websocket)
        for note in reversed(Note.objects.all()[:SHOWN]):
            self.send(note.text)

    def on_message(self, text):
        note = Note.objects.create(text=text[:200])
        self.group.send(note.text)


def page(request):
    return render(request, "notes/notes.html", {"company": request.tenant})
