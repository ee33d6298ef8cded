"""Members of groups: a view, a handler, and plain HTTP that sends to both.

A member does what its messages say, each a JSON list: ["send", "text"], ["close", 4001, "reason"].
"""

import json
import os
import socket
import time

from django.http import HttpResponse, JsonResponse

from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups import get_counts

from ..journal import record, recorded
from .handlers import Recorded


class Member:
    """What both kinds of member can do."""

    def __init__(self, group, websocket):
        self.group = group
        self.websocket = websocket

    def obey(self, message):
        command, *arguments = json.loads(message)
        try:
            getattr(self, "do_" + command)(*arguments)
        except GroupUnavailable as error:
            self.websocket.send(str(error))

    def do_send(self, text):
        self.group.send(text)

    def do_send_to_others(self, text):
        self.group.send(text, exclude=self.websocket)

    def do_send_json(self, content):
        self.group.send_json(content)

    def do_send_binary(self, numbers):
        self.group.send(memoryview(bytes(numbers)))

    def do_send_many(self, count, size, busy=0.0):
        """Before the last one nobody else has a turn for so many seconds, where all take turns."""
        for number in range(count):
            if number == count - 1:
                until = time.monotonic() + busy
                while time.monotonic() < until:
                    pass
            self.group.send(f"{number:06}" + "x" * (size - 6))

    def do_mix(self, count, size):
        """Its own messages between those of the group."""
        for number in range(count):
            text = f"{number:06}" + "x" * (size - 6)
            (self.websocket if number % 2 else self.group).send(text)

    def do_pid(self):
        self.websocket.send(str(os.getpid()))

    def do_answer(self, text):
        self.websocket.send(text)

    def do_close(self, code, reason):
        self.group.close(code, reason)

    def do_give_up(self, seconds, size, text):
        """A send() that gevent interrupts, and behind it one to the group."""
        import gevent

        with gevent.Timeout(seconds, False):
            self.websocket.send("x" * size)
        self.group.send(text)

    def tell_end(self, request):
        """Whether it is a member still, when the connection has ended."""
        record(request, "left", is_member=self.websocket in self.group)

    def do_join(self, name):
        """A further group."""
        Group(name).add(self.websocket)
        self.websocket.send("joined")

    def do_leave(self):
        self.group.discard(self.websocket)
        self.websocket.send("left")

    def do_narrow(self):
        """Let the system take little of what is sent, where we have the socket."""
        if self.websocket.fileno() == -1:
            self.websocket.send("narrow")
            return
        with socket.socket(fileno=os.dup(self.websocket.fileno())) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.websocket.send("narrow")


@require_websocket
@recorded
def member(request, name):
    group = Group(name)
    group.add(request.websocket)
    request.websocket.send(f"member {len(group)}")
    worker = Member(group, request.websocket)
    try:
        for message in request.websocket:
            worker.obey(message)
    finally:
        worker.tell_end(request)


@require_websocket
@recorded
def pushing(request, name):
    """A member that only sends."""
    Group(name).add(request.websocket)
    while True:
        request.websocket.send("tick")
        time.sleep(0.05)


@require_websocket
@recorded
def polling(request, name):
    """A member that only looks whether its client is there."""
    Group(name).add(request.websocket)
    request.websocket.send("member")
    while request.websocket.connected:
        time.sleep(0.05)


class Handler(Recorded, WebSocketHandler):
    def on_open(self):
        super().on_open()
        group = Group(self.kwargs["name"])
        group.add(self.websocket)
        self.send(f"member {len(group)}")
        self.member = Member(group, self.websocket)

    def on_message(self, message):
        self.member.obey(message)

    def on_close(self):
        self.member.tell_end(self.request)
        super().on_close()


class Coroutine(WebSocketHandler):
    """What it sends is sent in the event loop, all at once."""

    async def on_open(self):
        group = Group(self.kwargs["name"])
        group.add(self.websocket)
        self.member = Member(group, self.websocket)
        await self.send(f"member {len(group)}")

    async def on_message(self, message):
        self.member.obey(message)

    async def on_close(self):
        self.member.tell_end(self.request)


def send(request, name):
    """Plain HTTP."""
    group = Group(name)
    group.send(request.GET["text"])
    return HttpResponse(str(len(group)))


def close(request, name):
    """Plain HTTP."""
    Group(name).close(int(request.GET["code"]), request.GET["reason"])
    return HttpResponse()


def count(request, name):
    return JsonResponse({"count": len(Group(name)), "pid": os.getpid(), **get_counts()._asdict()})


@require_websocket(auto_accept=False)
def too_early(request, name):
    """add() before accept()."""
    try:
        Group(name).add(request.websocket)
    except Exception as error:
        record(request, "refused", error=type(error).__name__, text=str(error))
    request.websocket.accept()


@require_websocket
def closed_before(request, name):
    """A closed WebSocket is not added."""
    request.websocket.close()
    group = Group(name)
    group.add(request.websocket)
    record(request, "counted", count=len(group))
