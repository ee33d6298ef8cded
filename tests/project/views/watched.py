"""Views that make a mistake, in their own name."""

from dwebsocket import WebSocketHandler, require_websocket


class Mistake(Exception):
    pass


def fail(request, message):
    if message == "fail":
        raise Mistake(request.GET["case"])


@require_websocket
def view(request):
    for message in request.websocket:
        request.websocket.send(request.user.get_username() or "nobody")
        fail(request, message)


@require_websocket
async def coroutine(request):
    user = await request.auser()
    async for message in request.websocket:
        await request.websocket.asend(user.get_username() or "nobody")
        fail(request, message)


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send(self.request.user.get_username() or "nobody")
        fail(self.request, message)


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        await self.send(self.request.user.get_username() or "nobody")
        fail(self.request, message)
