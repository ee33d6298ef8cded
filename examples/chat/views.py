"""A chat with rooms: what was said, who is here, and who is just typing.

The room remembers what was said and knows who is in it (`Group`), in all processes of the site. A
page that comes back says the position of the last message it has got, which its script keeps.
"""

from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dwebsocket import Group, JsonWebSocketHandler

ROOMS = ["lobby", "python", "music", "coffee"]
MAX_NAME, MAX_TEXT = 24, 2000  # characters
NEWEST = 50  # messages a newcomer is shown
HISTORY, SECONDS = 500, 24 * 60 * 60  # messages a room remembers, and for how long


def page(request: HttpRequest, room: str) -> HttpResponse:
    names = ROOMS if room in ROOMS else [*ROOMS, room]
    limits = {"name": MAX_NAME, "text": MAX_TEXT}
    return render(request, "chat/room.html", {"room": room, "rooms": names, "limits": limits})


class Chat(JsonWebSocketHandler):
    """One open page."""

    def on_open(self) -> None:
        asked = self.request.GET
        self.name = asked.get("name", "").strip()[:MAX_NAME] or "Guest"
        # The tab: it knows its own messages by this, and is one person however often it comes.
        self.author = asked.get("author", "")[:64] or uuid4().hex
        self.room = Group(f"chat.{self.kwargs['room']}", history=HISTORY, seconds=SECONDS)
        # What the page has missed, or the newest messages; then everything that comes.
        self.room.add(self.websocket, asked.get("since"), newest=NEWEST, positions=True)
        self.room.track(self.websocket, key=self.author, info={"name": self.name})

    def on_message(self, message: Any) -> None:
        match message:  # a browser is not to be trusted: whatever else it sends is passed over
            case {"text": str(text)} if text.strip():
                self.say(text.strip()[:MAX_TEXT])
            case {"typing": True}:  # of no use to anybody who comes later: it is not kept
                typing = {"type": "typing", "author": self.author, "name": self.name}
                self.room.send_json(typing, exclude=self.websocket, keep=False)

    def say(self, text: str) -> None:
        """Show it to everybody in the room, its author included."""
        self.room.send_json(
            {
                "type": "message",
                "id": uuid4().hex,
                "author": self.author,
                "name": self.name,
                "text": text,
                "time": datetime.now(timezone.utc).isoformat(),
            }
        )

    def on_presence(self, joined: dict[str, Any], left: dict[str, Any]) -> None:
        self.send({"type": "presence", "joined": joined, "left": left})
