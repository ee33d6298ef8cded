"""uvicorn, alone or as a worker of gunicorn: an asyncio protocol is the connection, one of three,
chosen by ``--ws``. Its methods are the two callables.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .base import ENDED, AsgiTakeover, Member, find_owner

__all__ = ["UvicornTakeover"]

PACKAGE = "uvicorn.protocols.websockets."

#: By the class of the protocol.
SANS_IO = {
    "WebSocketsSansIOProtocol": PACKAGE + "websockets_sansio_impl",
    "WSProtocol": PACKAGE + "wsproto_impl",
}
LEGACY = PACKAGE + "websockets_impl"

NEEDED = ("transport", "connections", "tasks", "connection_lost")


class UvicornTakeover(AsgiTakeover):
    """Takes a connection from uvicorn."""

    title = "uvicorn"

    __slots__ = ("_connections", "_is_legacy", "_protocol", "_tasks", "transport")

    def __init__(self, protocol: Any, *, is_legacy: bool) -> None:
        self._protocol = protocol
        self._is_legacy = is_legacy
        self._connections: set[Any] = protocol.connections
        self._tasks: set[asyncio.Task[Any]] = protocol.tasks
        self.transport = protocol.transport

    @classmethod
    def find(cls, receive: Any, send: Any) -> AsgiTakeover | None:
        name = type(getattr(receive, "__self__", None)).__name__
        is_legacy = name == "WebSocketProtocol"
        module = LEGACY if is_legacy else SANS_IO.get(name)
        protocol = None if module is None else find_owner(receive, send, module)
        if not all(hasattr(protocol, attribute) for attribute in NEEDED):
            return None
        known = knows_legacy if is_legacy else knows_sans_io
        return cls(protocol, is_legacy=is_legacy) if known(protocol) else None

    def find_extensions(self) -> str | None:
        # wsproto has an attribute for them, and the scope gets its other headers.
        handshake = getattr(getattr(self._protocol, "conn", None), "handshake", None)
        request = getattr(handshake, "_initiating_request", None)
        return ", ".join(getattr(request, "extensions", ())) or None

    def take_early_bytes(self) -> bytes:
        # The others get a frame that is not answered yet in their next round: nothing is read then.
        return bytes(self._protocol.reader._buffer) if self._is_legacy else b""

    def release(self) -> None:
        protocol, self._protocol = self._protocol, None
        protocol.transport = ENDED  # its task closes it at its end
        # With an error: otherwise it would close the transport.
        protocol.connection_lost(ConnectionAbortedError("the connection has been taken over"))
        if self._is_legacy:
            protocol.handler_task.cancel()  # it waits for an answer to the handshake
            protocol.handshake_started_event.set()

    def register(self, member: Member) -> None:
        self._connections.add(member)

    def deregister(self, member: Member) -> None:
        self._connections.discard(member)

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def knows_sans_io(protocol: Any) -> bool:
    """Whether the handshake is not answered, and nothing has come behind it."""
    queue = getattr(protocol, "queue", None)
    complete = getattr(protocol, "handshake_complete", True)
    return not complete and queue is not None and queue.empty()


def knows_legacy(protocol: Any) -> bool:
    """Whether the handshake is not answered."""
    started = getattr(protocol, "handshake_started_event", None)
    is_known = all(hasattr(protocol, name) for name in ("handler_task", "reader"))
    return is_known and started is not None and not started.is_set()
