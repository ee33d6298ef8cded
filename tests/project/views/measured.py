"""A query a message, and what the process has kept since the first."""

import gc
import tracemalloc

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from dwebsocket import WebSocketHandler, require_websocket


def answer(message):
    if message == "query":
        list(get_user_model().objects.filter(username__startswith="a"))
        return "done"
    tracemalloc.start()  # once
    gc.collect()
    return str(tracemalloc.get_traced_memory()[0])


@require_websocket
def view(request):
    for message in request.websocket:
        request.websocket.send(answer(message))


@require_websocket
async def coroutine(request):
    async for message in request.websocket:
        await request.websocket.asend(await sync_to_async(answer)(message))


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send(answer(message))
