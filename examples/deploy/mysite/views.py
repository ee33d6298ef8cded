"""A page on which everybody reads what anybody says, and one that counts, across restarts."""

import os
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dwebsocket import Group, JsonWebSocketHandler, WebSocketHandler


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


class Talk(WebSocketHandler):
    resumable = True  # it joins its group anew, and has nothing else to remember

    def on_open(self) -> None:
        Group("talk").add(self.websocket)

    def on_message(self, message: str | bytes) -> None:
        Group("talk").send(message)


def counter(request: HttpRequest) -> HttpResponse:
    return render(request, "counter.html")


class Count(JsonWebSocketHandler):
    """Counts its client's messages, and says which worker does."""

    resumable = True
    count = 0

    def on_message(self, message: Any) -> None:
        self.count += 1
        self.send({"count": self.count, "worker": os.getpid()})

    def get_state(self) -> dict[str, Any]:
        return {"count": self.count}

    def on_resume(self, state: dict[str, Any]) -> None:
        self.count = state["count"]
