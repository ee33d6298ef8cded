"""A chat with rooms. Each browser sends {"text": …}; `chat.rooms` says what comes back."""

import json
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from chat import rooms
from dwebsocket import require_websocket
from dwebsocket.http import WebSocketRequest

ROOMS = ["lobby", "python", "music", "coffee"]
MAX_NAME, MAX_TEXT = 24, 2000  # characters


def page(request: HttpRequest, room: str) -> HttpResponse:
    names = ROOMS if room in ROOMS else [*ROOMS, room]
    limits = {"name": MAX_NAME, "text": MAX_TEXT}
    return render(request, "chat/room.html", {"room": room, "rooms": names, "limits": limits})


@require_websocket
def chat(request: WebSocketRequest, room: str) -> None:
    name = request.GET.get("name", "").strip()[:MAX_NAME] or "Guest"
    author = request.GET.get("author", "")[:64]  # the tab knows its own messages by this
    person = uuid4().hex
    try:
        rooms.join(room, request.websocket, person, name)
        for message in request.websocket:
            text = text_of(message)
            if text:
                rooms.say(room, author, name, text)
    finally:
        rooms.leave(room, person, name)


def text_of(message: str | bytes) -> str:
    """The text of a message, "" when it is not one of ours: the browser is not to be trusted."""
    try:
        text = json.loads(message)["text"]
    except (ValueError, TypeError, KeyError):
        return ""
    return text.strip()[:MAX_TEXT] if isinstance(text, str) else ""
