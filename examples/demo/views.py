"""The start page: its open windows see each other come, speak and leave.

Nobody keeps a list of them. Whoever comes says so to the group, and everybody in it answers. So it
is the same in one process and, through Redis, in several.
"""

import os
from typing import Any
from uuid import uuid4

from dwebsocket import Group, JsonWebSocketHandler

MAX_NAME, MAX_TEXT = 24, 200  # characters

everybody = Group("windows")


def only(window_id: str) -> Group:
    """The group of one window, wherever it is connected."""
    return Group(f"windows.{window_id}")


class Window(JsonWebSocketHandler):
    """One open page. While nothing happens it holds no thread of the server."""

    keep_request = False

    def on_open(self) -> None:
        name = self.request.GET.get("name", "").strip()[:MAX_NAME] or "Somebody"
        window_id = uuid4().hex
        self.window = {"id": window_id, "name": name, "process": os.getpid()}
        only(window_id).add(self.websocket)
        everybody.add(self.websocket)  # it leaves both by itself
        self.send({"type": "welcome", **self.window})
        everybody.send_json({"type": "came", **self.window}, exclude=self.websocket)

    def on_message(self, message: Any) -> None:
        match message:  # a browser is not to be trusted: whatever else it sends is passed over
            case {"answer": str(newcomer)} if newcomer.isalnum():
                only(newcomer).send_json({"type": "here", **self.window})
            case {"text": str(text)} if text.strip():
                text = text.strip()[:MAX_TEXT]
                everybody.send_json({"type": "said", "text": text, **self.window})

    def on_close(self) -> None:
        everybody.send_json({"type": "left", **self.window})
