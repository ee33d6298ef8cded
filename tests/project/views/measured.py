"""A query a message, and what the process has kept since the first measurement."""

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
    # Threads of the loops come and go, and each has a buffer.
    ours = tracemalloc.Filter(False, "*/dwebsocket/transports/*")
    snapshot = tracemalloc.take_snapshot().filter_traces([ours])
    return str(sum(trace.size for trace in snapshot.traces))


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
