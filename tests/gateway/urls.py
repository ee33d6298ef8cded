"""What the gateway's tests run in its processes with handlers."""

import os
import random
import time
from pathlib import Path

from django.urls import path

from dwebsocket import WebSocketHandler, gateway, require_websocket


class Counter(WebSocketHandler):
    """Counts, across processes."""

    count = 0

    def on_message(self, message):
        self.count += 1
        self.send(f"{self.count} {message} {self.redelivered:d} {os.getpid()}")

    def get_state(self):
        return {"count": self.count}

    def on_resume(self, state):
        self.count = state.get("count", 0)


class AsyncCounter(WebSocketHandler):
    count = 0

    async def on_open(self):
        pass

    async def on_message(self, message):
        self.count += 1
        await self.send(f"{self.count} {message} {os.getpid()}")

    def get_state(self):
        return {"count": self.count}

    async def on_resume(self, state):
        self.count = state["count"]


class Reopened(WebSocketHandler):
    """Says which of its methods are called."""

    def on_open(self):
        self.send(f"open {os.getpid()}")

    def on_message(self, message):
        self.send(message)

    def on_close(self):
        print("CLOSED", self.request.GET.get("as"), self.websocket.close_code, flush=True)


class Mine(WebSocketHandler):
    """Somebody's who is logged in."""

    def on_open(self):
        self.send(self.request.user.get_username() or "nobody")

    def on_message(self, message):
        self.send(message)


class Slow(WebSocketHandler):
    """Takes its time with each message, which names a file: until that is there."""

    def on_message(self, message):
        print("BEGUN", message, flush=True)
        while not Path(message).exists():
            time.sleep(0.05)
        self.send(f"done {os.getpid()}")


class TooMuch(WebSocketHandler):
    def on_message(self, message):
        self.send(message)

    def get_state(self):
        return {"much": "x" * 70_000}


class Endless(WebSocketHandler):
    """Never returns from its first message, as in the original's sample projects."""

    def on_message(self, message):
        for number in range(1_000_000):
            self.send(f"{os.getpid()} {number}")
            time.sleep(0.05)

    def on_close(self):
        print("CLOSED endless", self.websocket.close_code, flush=True)


class First(gateway.WebSocketHandler):
    """The page's handler: its first message goes to on_open()."""

    def on_open(self, message):
        self.send(f"open {message}")
        return {"alone": True, "both": None, "false": False}[message]

    def on_message(self, message):
        self.send(f"message {message}")

    def on_close(self):
        print("CLOSED first", flush=True)


class RandomCounter(gateway.WebSocketHandler):
    """The sample of the page: its first message comes to on_message(), too."""

    def on_message(self, message):
        self.send(str(random.random()))


class AsyncFirst(gateway.WebSocketHandler):
    async def on_open(self, message):
        await self.send(f"open {message}")
        return {"alone": True, "both": None}[message]

    async def on_message(self, message):
        await self.send(f"message {message}")


class Echo(WebSocketHandler):
    """Says what it is told."""

    def on_message(self, message):
        self.send(message)


@require_websocket
def view(request):
    for message in request.websocket:
        request.websocket.send(f"{message} {os.getpid()}")


urlpatterns = [
    path("counter/", Counter.as_view()),
    path("light/", Counter.as_view(keep_request=False)),
    path("async/", AsyncCounter.as_view()),
    path("reopened/", Reopened.as_view()),
    path("mine/", Mine.as_view()),
    path("slow/", Slow.as_view()),
    path("too-much/", TooMuch.as_view()),
    path("endless/", Endless.as_view()),
    path("first/", First.as_view()),
    path("async/first/", AsyncFirst.as_view()),
    path("view/", view),
    path("echo/", Echo.as_view()),
]
