"""Handlers whose connections go to another process when theirs ends."""

import os
import signal
import threading
from pathlib import Path

from django.http import HttpResponse

from dwebsocket import WebSocketHandler
from dwebsocket.groups import Group

__all__ = ["Echo", "Room", "Shown", "Stateful", "page", "send"]


class Echo(WebSocketHandler):
    """Sends back what comes."""

    resumable = True

    def on_message(self, message):
        self.send(message)


class Room(WebSocketHandler):
    """Echoes, counts what has come, and gets what is sent to its group."""

    resumable = True
    count = 0

    def on_open(self):
        Group(self.kwargs["name"]).add(self.websocket)

    def on_message(self, message):
        if message == "pid":
            self.send(f"pid {os.getpid()}")
            return
        self.count += 1
        self.send(f"{self.count} {message}" if isinstance(message, str) else message)

    def get_state(self):
        return {"count": self.count}

    def on_resume(self, state):
        self.count = state["count"]
        self.on_open()


class Interrupted(BaseException):
    """Such as gevent's Timeout."""


#: Nobody sets it.
held = threading.Event()


class Stateful(WebSocketHandler):
    """What is to go wrong is in its address."""

    resumable = True
    marker = None  # a file: whoever removes it dies

    def on_open(self):
        if "pipe" in self.request.GET:  # until somebody writes into it
            Path(self.request.GET["pipe"]).read_text()
        self.send("open")

    def on_message(self, message):
        if message == "pid":
            self.send(f"pid {os.getpid()}")
        elif message == "wait":
            self.send("waits")
            held.wait(30)
        elif message.startswith("read "):  # a pipe: until somebody writes into it
            self.send(Path(message.removeprefix("read ")).read_text())
        elif message == "fill":
            while not self.websocket._count_waiting():  # the system takes some of it
                self.send(bytes(1 << 19))
            self.send("full")
        elif message == "close":
            self.close(4321, "done")
        elif message == "user":
            self.request.user.is_authenticated  # noqa: B018  # looked up
            self.send(str(self.request.user))
        else:
            self.marker = message.removeprefix("kill ") if message.startswith("kill ") else None
            self.send(message)

    def get_state(self):
        how = self.kwargs["how"]
        if how == "raise":
            raise ValueError("no state today")
        if how == "interrupt":
            raise Interrupted
        return {"text": "x" * (1 << 20)} if how == "long" else {"how": how, "kill": self.marker}

    def on_resume(self, state):
        if state["how"] == "fail":
            raise ValueError("cannot go on")
        if state["kill"] is not None:
            try:
                Path(state["kill"]).unlink()
            except FileNotFoundError:  # another process has been killed
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        self.send(f"resumed {state['how']}")


class Shown(WebSocketHandler):
    """Stays in its process, whose number it sends as HTML."""

    def on_open(self):
        self.send(f'<p id="shown">worker {os.getpid()}</p>')


def page(request):
    """Of this site, as it is asked for."""
    return HttpResponse(request.GET["body"])


def send(request, name, first, count):
    """Send numbers to the group."""
    for number in range(first, first + count):
        Group(name).send(f"group {number} {os.getpid()}")
    return HttpResponse("sent")
