import time

from django.http import HttpResponse

from dwebsocket import Group, WebSocketHandler, require_websocket


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
    """Whatever one says, all get the same 125 bytes."""

    keep_request = False

    def on_open(self):
        Group("fanout").add(self.websocket)

    def on_message(self, message):
        Group("fanout").send("x" * 125)


class Slow(WebSocketHandler):
    def on_message(self, message):
        time.sleep(float(message))
        self.websocket.send(message)


def plain(request):
    return HttpResponse("plain")
