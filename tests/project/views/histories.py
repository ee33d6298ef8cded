"""Members of groups that keep messages: a view, a handler, a coroutine, and plain HTTP.

The query says what add() is told: ?since=…&newest=…&plain, and how many messages are kept: ?size=….
What a member says goes to all; "keep:…" and "drop:…" say whether it is kept.
"""

import os

from django.http import HttpResponse, JsonResponse

from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.exceptions import GroupUnavailable

from ..journal import recorded
from .handlers import Recorded

SECONDS = 300


def find_group(request, name):
    query = request.GET
    return Group(name, int(query.get("size", 100)), float(query.get("seconds", SECONDS)))


def wish(request):
    query = request.GET
    return {
        "since": query.get("since"),
        "newest": int(query.get("newest", 0)),
        "positions": "plain" not in query,
    }


def split(message):
    """The text, and whether it is kept."""
    kind, _, text = message.partition(":")
    return text, kind == "keep"


@require_websocket
@recorded
def member(request, name):
    group = find_group(request, name)
    group.add(request.websocket, **wish(request))
    for message in request.websocket:
        text, keep = split(message)
        group.send(text, keep=keep)


class Handler(Recorded, WebSocketHandler):
    def on_open(self):
        super().on_open()
        self.group = find_group(self.request, self.kwargs["name"])
        self.group.add(self.websocket, **wish(self.request))

    def on_message(self, message):
        text, keep = split(message)
        self.group.send(text, keep=keep)

    def on_close(self):
        if "last_words" in self.request.GET:
            self.group.send(self.request.GET["last_words"])
        super().on_close()


class Coroutine(WebSocketHandler):
    async def on_open(self):
        self.group = find_group(self.request, self.kwargs["name"])
        await self.group.aadd(self.websocket, **wish(self.request))

    async def on_message(self, message):
        text, keep = split(message)
        await self.group.asend(text, keep=keep)


def send(request, name):
    """Plain HTTP: so many messages, numbered from ?first on."""
    group = find_group(request, name)
    first = int(request.GET.get("first", 0))
    try:
        for number in range(first, first + int(request.GET.get("count", 1))):
            group.send(f"{number}" + "x" * int(request.GET.get("padding", 0)))
    except GroupUnavailable as error:
        return HttpResponse(str(error), status=503)
    return HttpResponse(str(os.getpid()))


def recall(request, name):
    """What the group remembers."""
    try:
        found = find_group(request, name).history(request.GET.get("since"))
    except GroupUnavailable as error:
        return HttpResponse(str(error), status=503)
    return JsonResponse({**found._asdict(), "pid": os.getpid()})
