"""A wall of notes, for pages that are sent HTML: htmx 2, htmx 4 and Turbo put it where it belongs.

What was sent is remembered (`Group(history=…)`), so whoever comes, or comes back, is sent it: all
of it, behind an empty wall, whatever the page has already (`since=""`).
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dwebsocket import Group, JsonWebSocketHandler, WebSocketHandler

MAX_TEXT = 200  # characters
SHOWN, SECONDS = 20, 24 * 60 * 60  # notes, and for how long
TURBO_STREAM = "text/vnd.turbo-stream.html"

htmx_pages = Group("wall.htmx", history=SHOWN, seconds=SECONDS)
turbo_pages = Group("wall.turbo", history=SHOWN, seconds=SECONDS)


def stick(text: str) -> None:
    """Put a note on the wall: rendered once for each of the two languages, whoever looks at it."""
    note = {"text": text.strip()[:MAX_TEXT]}
    if note["text"]:
        htmx_pages.send_html("wall/htmx/note.html", note)
        turbo_pages.send_html("wall/turbo/note.html", note)


class HtmxWall(JsonWebSocketHandler):
    """One open page. htmx sends its forms through the WebSocket, as JSON."""

    def on_open(self) -> None:
        self.send_html("wall/htmx/empty.html")
        htmx_pages.add(self.websocket, since="", newest=SHOWN)

    def on_message(self, message: Any) -> None:
        match message:  # a browser is not to be trusted: whatever else it sends is passed over
            case {"text": str(text)}:
                stick(text)
                self.send_html("wall/htmx/input.html", {"max_text": MAX_TEXT})  # an empty one


class TurboWall(WebSocketHandler):
    """One open page. Turbo sends its forms by HTTP: see below."""

    def on_open(self) -> None:
        self.send_html("wall/turbo/empty.html")
        turbo_pages.add(self.websocket, since="", newest=SHOWN)


def page(request: HttpRequest, template: str) -> HttpResponse:
    return render(request, template, {"max_text": MAX_TEXT})


def turbo_page(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return page(request, "wall/turbo.html")
    stick(request.POST.get("text", ""))
    context = {"max_text": MAX_TEXT}  # an empty form
    return render(request, "wall/turbo/form.html", context, content_type=TURBO_STREAM)
