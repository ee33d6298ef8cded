"""What is called when its request has ended tells what a context has set up for it."""

import json
from contextlib import contextmanager

from asgiref.sync import sync_to_async

from dwebsocket import WebSocketHandler, require_websocket

from ..holding import kinds, see
from ..journal import record


@contextmanager
def hold(request):
    """For ``WEBSOCKET_CONTEXTS``: what ``HoldingMiddleware`` sets up, and what is left of it."""
    if "value" not in request.GET:
        yield
        return
    before = see(request)  # a context variable comes by itself
    with kinds[request.GET["kind"]][0](request.GET["value"]):
        yield
    if see(request) != before:
        record(request, "left over", found=see(request))


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send_json(see(self.request))

    def on_close(self):
        record(self.request, "closed", found=see(self.request))


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        self.send_json(await sync_to_async(see)(self.request))

    def on_close(self):
        record(self.request, "closed", found=see(self.request))


class TaskHandler(AsyncHandler):
    async def on_message(self, message):
        self.start_task("tell", super().on_message, args=(message,))


@require_websocket
async def async_view(request):
    async for _ in request.websocket:
        await request.websocket.asend(json.dumps(await sync_to_async(see)(request)))
    found = await sync_to_async(see)(request)
    record(request, "closed", found=found)
