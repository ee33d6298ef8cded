"""The two sample projects of django-ws, and a chat.

The first two loop for as long as their connection lasts: run_wsserver has --threaded for them, or
--gevent, or --multiprocess.
"""

import time
from typing import Any

from dwebsocket import Group
from dwebsocket.gateway import WebSocketHandler

from .models import Visit


class EchoHandler(WebSocketHandler):
    """Sends a message back, and then numbers."""

    def on_message(self, message: str | bytes) -> None:
        self.send(message)
        for number in range(120):
            time.sleep(0.1)
            self.send(str(number))


class VisitsHandler(WebSocketHandler):
    """Tells who is here how many have ever been."""

    visit: Visit | None = None

    def on_open(self, message: str | bytes) -> bool:
        self.visit = Visit.objects.create(ref=str(message)[:200])
        while True:  # until send() raises ConnectionClosed: the client has left
            self.send(str(Visit.objects.count()))
            time.sleep(1)


class ChatHandler(WebSocketHandler):
    """The first message is a name; each other one goes to everybody. It goes on in another process
    without a word.
    """

    name = ""

    def on_open(self, message: str | bytes) -> bool:
        self.name = str(message)[:24]
        self.enter()
        Group("chat").send(f"{self.name} has come")
        return True

    def on_message(self, message: str | bytes) -> None:
        Group("chat").send(f"{self.name}: {message!s:.2000}")

    def on_close(self) -> None:
        if self.name:
            Group("chat").send(f"{self.name} has gone")

    def enter(self) -> None:
        Group("chat").add(self.websocket)

    def get_state(self) -> dict[str, Any]:
        return {"name": self.name}

    def on_resume(self, state: dict[str, Any]) -> None:
        self.name = state.get("name", "")
        if self.name:
            self.enter()
