"""Views and handlers that ask PostgreSQL, under the alias of a database that the address names.

The answer is the number of the process that serves the connection: each connection has its own.
"""

import threading

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.http import HttpResponse

from dwebsocket import WebSocketHandler, require_websocket

from ..journal import record, recorded


def ask(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return str(cursor.fetchone()[0])


def plain(request, alias):
    return HttpResponse(ask(alias))


@require_websocket
@recorded
def view(request, alias):
    for message in request.websocket:
        request.websocket.send(ask(alias))
        if message == "end":
            return


@require_websocket
@recorded
def in_atomic(request, alias):
    with transaction.atomic(using=alias):
        for _ in request.websocket:
            request.websocket.send(ask(alias))


@require_websocket
async def coroutine(request, alias):
    async for message in request.websocket:
        await request.websocket.asend(await sync_to_async(ask)(alias))
        if message == "end":
            return


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


def add_wrapper(connection):
    connection.execute_wrappers.append(lambda execute, *args: execute(*args))


#: What may be left on a connection object, or in its session.
LEFT = {
    "attribute": lambda connection: setattr(connection, "tenant", "acme"),
    "wrapper": add_wrapper,
    "autocommit": lambda connection: connection.set_autocommit(False),
    "atomic": lambda connection: transaction.atomic(using=connection.alias).__enter__(),
    "session": lambda connection: connection.cursor().execute("SET app.client = 'acme'"),
}


def look(connection):
    """What has been left there."""
    found = vars(connection).copy()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.client', true)")
        ((client,),) = cursor.fetchall()
    return {
        "attribute": found.get("tenant"),
        "wrapper": len(found["execute_wrappers"]),
        "autocommit": connection.get_autocommit(),
        "atomic": found["in_atomic_block"],
        "session": client or None,
    }


class Leaving(WebSocketHandler):
    """Tells where it runs and what it finds; leaves what a message names, now or in the end."""

    aliases = ("aged", "lasting", "pooled")
    last = None

    def on_open(self):
        self.leave(self.request.GET.get("leave"))

    def on_message(self, message):
        where, _, name = message.partition(" ")
        found = [look(connections[alias]) for alias in self.aliases]
        self.send_json([threading.get_ident(), *found])
        if where == "now":
            self.leave(name)
        elif where == "then":
            self.last = name

    def on_close(self):
        self.leave(self.last)
        record(self.request, "ended", outcome="on_close")

    def leave(self, name):
        if name is not None:
            for alias in self.aliases:
                # The sessions of a pool go on, and what SQL has set in them.
                if (name, alias) != ("session", "pooled"):
                    LEFT[name](connections[alias])


class Finding(WebSocketHandler):
    """Tells what it finds in the beginning."""

    def on_open(self):
        self.send_json([threading.get_ident(), look(connections["aged"])])
