"""Notes of a company, for all of its pages: a handler, each call of which is in its schema."""

from companies.models import Company
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dwebsocket import Group, WebSocketHandler
from dwebsocket.http import WebSocketRequest
from notes.models import Note

SHOWN = 20  # notes a page that opens is sent


class CompanyRequest(HttpRequest):
    tenant: Company


class CompanyWebSocketRequest(WebSocketRequest):
    tenant: Company


class Notes(WebSocketHandler):
    request: CompanyWebSocketRequest  # pyright: ignore[reportIncompatibleVariableOverride]

    def on_open(self) -> None:
        # A group reaches all who are in it: each company has one of its own.
        self.group = Group(f"notes-{self.request.tenant.schema_name}")
        self.group.add(self.websocket)
        for note in reversed(Note.objects.all()[:SHOWN]):
            self.send(note.text)

    def on_message(self, message: str | bytes) -> None:
        if isinstance(message, bytes):  # not from our page
            return
        note = Note.objects.create(text=message[:200])
        self.group.send(note.text)


def page(request: CompanyRequest) -> HttpResponse:
    return render(request, "notes/notes.html", {"company": request.tenant})
