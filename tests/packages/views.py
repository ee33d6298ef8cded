"""Each of them writes for each message, and answers with what the packages know of the client."""

import reversion
import waffle
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django_ratelimit.decorators import ratelimit
from guardian.shortcuts import get_perms
from rest_framework.decorators import api_view
from rest_framework.response import Response

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket

from .models import Note


def show_toolbar(request):
    return True


def write(request, text):
    """Write a note; the answer."""
    with reversion.create_revision():
        note = Note.objects.create(text=text)
    return {
        "user": request.user.get_username(),
        "browser": request.user_agent.is_pc,
        "htmx": bool(request.htmx),
        "flag": waffle.flag_is_active(request, "none"),
        "permissions": get_perms(request.user, note),
        "versions": note.history.count(),
    }


@api_view()
def api(request):
    return Response({"notes": Note.objects.count()})


def page(request):
    return HttpResponse("<!DOCTYPE html><html><body>page</body></html>")


@login_required
@ratelimit(key="ip", rate="10000/s")
@accept_websocket
def view(request):
    if not request.is_websocket():
        return page(request)
    for message in request.websocket:
        request.websocket.send_json(write(request, message))
    return None


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send_json(write(self.request, message))


@require_websocket
async def coroutine(request):
    await request.auser()
    async for message in request.websocket:
        note = await Note.objects.acreate(text=message)
        versions = await note.history.acount()
        await request.websocket.asend(f'{{"versions": {versions}}}')


class Coroutines(WebSocketHandler):
    async def on_message(self, message):
        note = await Note.objects.acreate(text=message)
        await self.websocket.asend(f'{{"versions": {await note.history.acount()}}}')
