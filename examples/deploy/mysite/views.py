"""A page on which everybody reads what anybody says."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dwebsocket import Group, WebSocketHandler


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


class Talk(WebSocketHandler):
    def on_open(self) -> None:
        Group("talk").add(self.websocket)

    def on_message(self, message: str | bytes) -> None:
        Group("talk").send(message)
