import os
import time

from django.http import HttpResponse, JsonResponse

from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.groups import get_counts


@require_websocket
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket
async def async_echo(request):
    async for message in request.websocket:
        await request.websocket.asend(message)


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.websocket.send(message)


class AsyncEcho(WebSocketHandler):
    async def on_message(self, message):
        await self.send(message)


class Member(WebSocketHandler):
    """As many bytes as one says, all get."""

    keep_request = False

    def on_open(self):
        Group("fanout").add(self.websocket)

    def on_message(self, message):
        Group("fanout").send("x" * int(message))


class AsyncMember(WebSocketHandler):
    keep_request = False

    async def on_open(self):
        Group("fanout").add(self.websocket)

    async def on_message(self, message):
        await Group("fanout").asend("x" * int(message))


class Slow(WebSocketHandler):
    def on_message(self, message):
        time.sleep(float(message))
        self.websocket.send(message)


class Deployed(WebSocketHandler):
    """Counts what has come, also where its connection goes to another process."""

    resumable = "BENCH_DRAIN_ONLY" not in os.environ
    keep_request = False
    count = 0

    def on_message(self, message):
        if message.startswith("g "):
            Group("deploy").send(message)
            return
        self.count += 1
        self.send(f"{message} {self.count}")

    def get_state(self):
        return {"count": self.count}

    def on_resume(self, state):
        self.count = state["count"]
        self.on_open()


class DeployedMember(Deployed):
    def on_open(self):
        Group("deploy").add(self.websocket)


def plain(request):
    return HttpResponse("plain")


def counts(request):
    return JsonResponse({"members": len(Group("fanout")), **get_counts()._asdict()})
