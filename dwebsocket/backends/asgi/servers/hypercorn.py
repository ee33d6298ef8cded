"""hypercorn, with HTTP/1.1: a stream is the connection, above a protocol, above a server of one TCP
connection, which reads in a task of its own.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from dwebsocket.protocol.frames import CloseCode

from .base import ENDED, AsgiTakeover, Member, is_a
from .members import Members, find_members

__all__ = ["HypercornTakeover"]


class HypercornTakeover(AsgiTakeover):
    """Takes a connection from hypercorn."""

    title = "hypercorn"

    __slots__ = ("_context", "_members", "_server", "_stream", "transport")

    def __init__(self, stream: Any, server: Any) -> None:
        self._stream = stream
        self._server = server
        self._context = stream.context
        self.transport = server.writer.transport

    @classmethod
    def find(cls, receive: Any, send: Any) -> AsgiTakeover | None:
        stream: Any = getattr(send, "__self__", None)
        if not is_a(stream, "hypercorn.protocol.ws_stream", "WSStream"):
            return None
        protocol: Any = getattr(stream.send, "__self__", None)
        if not is_a(protocol, "hypercorn.protocol.h11", "H11Protocol"):
            return None
        server: Any = getattr(protocol.send, "__self__", None)
        is_known = (
            is_a(server, "hypercorn.asyncio.tcp_server", "TCPServer")
            and getattr(stream.app_put, "__self__", None) is getattr(receive, "__self__", None)
            and not stream.handshake.accepted
        )
        return cls(stream, server) if is_known else None

    @property
    def is_refused(self) -> bool:
        # With 400, for bytes that came with it; it reads them for ever then, and says nothing more.
        return bool(self._stream.closed)

    def take_early_bytes(self) -> bytes:
        # Usually none: those that come with the handshake it refuses, and then it reads no more.
        return bytes(self._server.reader._buffer)

    def release(self) -> None:
        stream, server = self._stream, self._server
        self._stream = self._server = None
        stream.closed = True  # it answers with 500 when its call of the application returns
        server.writer._transport = server.reader._transport = ENDED
        server.writer._protocol.connection_lost(None)

    def register(self, member: Member) -> None:
        self._members = find_members(partial(start_watching, self._context))
        self._members.add(member)

    def deregister(self, member: Member) -> None:
        self._members.discard(member)

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        self._members.keep_task(task)

    def get_stop_code(self) -> int:
        restarts = self._context.terminate.is_set()  # it has served its max_requests
        return CloseCode.SERVICE_RESTART if restarts else CloseCode.GOING_AWAY


#: One in each event loop, which does not keep it itself.
watching: set[asyncio.Task[None]] = set()


def start_watching(context: Any, members: Members) -> None:
    """Tell them when the server ends, whose context this is."""
    task = asyncio.create_task(watch(context, members))
    watching.add(task)
    task.add_done_callback(watching.discard)


async def watch(context: Any, members: Members) -> None:
    await context.terminated.wait()
    members.shutdown()
