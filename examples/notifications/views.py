"""Notifications: a handler, told from a model signal. `notifications.apps` has the signal."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dwebsocket import Group, WebSocketHandler
from notifications.forms import NotificationForm
from notifications.models import Notification

SHOWN = 20  # notifications a page that opens is sent


class Notifications(WebSocketHandler):
    """Between its calls an open page costs no thread and no greenlet, only some memory."""

    keep_request = False

    def on_open(self) -> None:
        # First into the group, which it leaves by itself, then the past: nothing falls in between.
        # What comes twice, the page knows by its id.
        Group("notifications").add(self.websocket)
        for notification in reversed(Notification.objects.all()[:SHOWN]):
            self.send_json(notification.as_event())


def page(request: HttpRequest) -> HttpResponse:
    form = NotificationForm(request.POST or None)
    if form.is_valid():
        form.save()  # the signal does the rest
        return HttpResponse(status=204)
    status = 400 if form.is_bound else 200
    return render(request, "notifications/notifications.html", {"form": form}, status=status)
