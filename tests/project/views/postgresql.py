"""Views and handlers that ask PostgreSQL, under the alias of a database that the address names.

The answer is the number of the process that serves the connection: each connection has its own.
"""

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.http import HttpResponse

from dwebsocket import WebSocketHandler, require_websocket

from ..journal import recorded


def ask(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return str(cursor.fetchone()[0])


def plain(request, alias):
    return HttpResponse(ask(alias))


@require_websocket
@recorded
def view(request, alias):
    for _ in request.websocket:
        request.websocket.send(ask(alias))


@require_websocket
@recorded
def in_atomic(request, alias):
    with transaction.atomic(using=alias):
        for _ in request.websocket:
            request.websocket.send(ask(alias))


@require_websocket
async def coroutine(request, alias):
    async for _ in request.websocket:
        await request.websocket.asend(await sync_to_async(ask)(alias))


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send(ask(self.kwargs["alias"]))


class Coroutines(WebSocketHandler):
    """Asks in a task, too."""

    async def on_message(self, message):
        if message == "in a task":
            self.start_task("answer", self.answer)
        else:
            await self.answer()

    async def answer(self):
        self.send(await sync_to_async(ask)(self.kwargs["alias"]))
