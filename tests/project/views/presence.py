"""Handlers that hear of who is present, and how their calls come."""

import asyncio
import os
import time
from contextlib import contextmanager

from django.http import JsonResponse
from django.utils import translation

from dwebsocket import Group, WebSocketHandler, require_websocket

from ..journal import record, recorded
from .ending import DeliberateError
from .handlers import Recorded


class Busy:
    """Whether a method of a handler runs."""

    is_busy = False

    @contextmanager
    def working(self):
        if self.is_busy:
            record(self.request, "overlap")
        self.is_busy = True
        try:
            yield
        finally:
            self.is_busy = False


def describe(joined, left):
    return {
        "group": joined.group,
        "joined": list(joined.items()),
        "left": list(left.items()),
        "count": left.count,
        "language": translation.get_language(),
    }


def track(handler):
    key = handler.request.GET["key"]
    handler.room = Group(handler.kwargs["name"])
    handler.room.track(handler.websocket, int(key) if key.isdecimal() else key, {"as": key})
    translation.activate("de")


class Plain(Busy, Recorded):
    def on_open(self):
        with self.working():
            super().on_open()
            track(self)
            time.sleep(0.3)  # it is told of others before this has ended, perhaps

    def on_presence(self, joined, left):
        with self.working():
            self.send_json(describe(joined, left))
            if "bad" in joined:
                raise DeliberateError

    def on_message(self, message):
        with self.working():
            time.sleep(0.2)

    def on_error(self, error):
        record(self.request, "error", raised=type(error).__name__)

    def on_close(self):
        with self.working():
            super().on_close()


class Coroutine(Busy, WebSocketHandler):
    async def on_open(self):
        with self.working():
            await asyncio.to_thread(record, self.request, "started")
            track(self)
            await asyncio.sleep(0.3)

    async def on_presence(self, joined, left):
        with self.working():
            await self.send_json(describe(joined, left))
            if "bad" in joined:
                raise DeliberateError

    async def on_message(self, message):
        with self.working():
            await asyncio.sleep(0.2)

    async def on_error(self, error):
        await asyncio.to_thread(record, self.request, "error", raised=type(error).__name__)

    async def on_close(self):
        with self.working():
            await asyncio.to_thread(
                record, self.request, "ended", close_code=self.websocket.close_code
            )


@require_websocket
@recorded
def view(request, name):
    """A view is present, too, and hears of nobody."""
    Group(name).track(request.websocket, request.GET["key"])
    for message in request.websocket:
        request.websocket.send(message)


def present(request, name):
    return JsonResponse({"present": list(Group(name).present().items())})


class Losing(Recorded):
    """A member of a group with a history."""

    def on_open(self):
        super().on_open()
        Group(self.kwargs["name"], history=10).add(self.websocket)
        self.send("member")

    def on_history_lost(self, group):
        self.send(f"lost {group}")


def keep(request, name):
    """Send to it."""
    Group(name, history=10).send(request.GET["text"])
    return JsonResponse({})


class Tab(WebSocketHandler):
    """One of many. Says when it was told, so that a client that is late does not matter."""

    presence_limit = None

    def on_open(self):
        user = int(self.request.GET["key"])
        Group(self.kwargs["name"]).track(self.websocket, user, {"name": f"user {user}"})
        self.send_json({"pid": os.getpid()})

    def on_presence(self, joined, left):
        told = {"at": time.time(), "joined": list(joined), "left": list(left)}
        self.send_json(told)
