"""A page on which everybody reads what anybody says."""

from django.shortcuts import render

from dwebsocket import Group, WebSocketHandler


def page(request):
    return render(request, "page.html")


class Talk(WebSocketHandler):
    def on_open(self):
        Group("talk").add(self.websocket)

    def on_message(self, message):
        Group("talk").send(message)
