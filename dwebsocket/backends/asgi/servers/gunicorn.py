"""gunicorn's own ``asgi`` worker: an asyncio protocol is the connection, and hands what comes to an
object whose methods are the two callables.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from dwebsocket.running.event_loop import call_in_loop

from .base import ENDED, AsgiTakeover, Member, find_owner, is_a
from .members import GRACE, Members, find_members

__all__ = ["GunicornTakeover"]

#: Seconds between two looks at whether the worker is to end.
INTERVAL = 0.5


class GunicornTakeover(AsgiTakeover):
    """Takes a connection from gunicorn."""

    title = "gunicorn -k asgi"

    __slots__ = ("_loop", "_members", "_protocol", "_websocket", "_worker", "transport")

    def __init__(self, websocket: Any, protocol: Any) -> None:
        self._websocket = websocket
        self._protocol = protocol
        self._worker = protocol.worker
        self._loop = self._worker.loop
        self.transport = websocket.transport

    @classmethod
    def find(cls, receive: Any, send: Any) -> AsgiTakeover | None:
        websocket = find_owner(receive, send, "gunicorn.asgi.websocket")
        protocol: Any = None if websocket is None else websocket.transport.get_protocol()
        is_known = (
            is_a(protocol, "gunicorn.asgi.protocol", "ASGIProtocol")
            and protocol._websocket is websocket
            and not (websocket.accepted or websocket.closed or websocket._buffer)
        )
        return cls(websocket, protocol) if is_known else None

    def take_early_bytes(self) -> bytes:
        # With `--protocol uwsgi` alone: what comes with an HTTP handshake is lost.
        reader = self._protocol.reader
        return b"" if reader is None else bytes(reader._buffer)

    def release(self) -> None:
        websocket, protocol = self._websocket, self._protocol
        self._websocket = self._protocol = None
        websocket.transport = protocol.transport = protocol.writer = ENDED
        protocol.connection_lost(None)

    def register(self, member: Member) -> None:
        self._members = find_members(partial(watch, self._worker))
        self._members.add(member)
        self._worker.nr_conns += 1

    def deregister(self, member: Member) -> None:
        if self._members.discard(member):
            call_in_loop(self._loop, count_less, self._worker)

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        self._members.keep_task(task)


def count_less(worker: Any) -> None:
    """One of its connections has ended. In its loop."""
    worker.nr_conns -= 1


def watch(worker: Any, members: Members) -> None:
    """Tell them when the worker is told to end, which waits for those that it counts; not for views
    that go on.
    """
    loop = asyncio.get_running_loop()
    if worker.alive or not members.shutdown():
        loop.call_later(INTERVAL, watch, worker, members)
    else:
        loop.call_later(GRACE, give_up, worker, members)


def give_up(worker: Any, members: Members) -> None:
    worker.nr_conns -= members.clear()
