"""daphne: a protocol of autobahn is the connection, over a transport of Twisted, whose reactor runs
in asyncio's event loop.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from dwebsocket.protocol.frames import CloseCode

from .base import ENDED, AsgiTakeover, Member, is_a
from .members import Members, find_members
from .twisted import TwistedTransport, tell_end

__all__ = ["DaphneTakeover"]


class DaphneTakeover(AsgiTakeover):
    """Takes a connection from daphne."""

    title = "daphne"

    __slots__ = ("_channel", "_members", "_protocol", "_server", "transport")

    def __init__(self, protocol: Any, server: Any) -> None:
        self._protocol = protocol
        self._server = server
        self.transport = TwistedTransport(protocol.transport)
        self._channel = self.transport.find_channel()

    @classmethod
    def find(cls, receive: Any, send: Any) -> AsgiTakeover | None:
        if type(send) is not partial or len(send.args) != 1:
            return None
        protocol = send.args[0]
        is_known = (
            is_a(protocol, "daphne.ws_protocol", "WebSocketProtocol")
            and getattr(send.func, "__self__", None) is protocol.server
            and getattr(receive, "__self__", None) is protocol.application_queue
            and hasattr(protocol, "handshake_deferred")  # it has not been answered
        )
        return cls(protocol, protocol.server) if is_known else None

    def take_early_bytes(self) -> bytes:
        # Those that came with the handshake wait where the next request would.
        return b"".join(getattr(self._channel, "_dataBuffer", ())) + bytes(self._protocol.data)

    def release(self) -> None:
        protocol, connections = self._protocol, self._server.connections
        requests = getattr(self._channel, "requests", ())
        self._channel = self._protocol = self._server = None
        protocol.transport = ENDED
        protocol.onClose = drop  # it has not closed for whoever reads the log
        tell_end(protocol)
        # At its end it fails if the application of one has not been called, such as of the request
        # that has become a WebSocket.
        for known in (protocol, *requests):
            connections.pop(known, None)

    def drop_transport(self) -> None:
        self.transport.drop()

    def register(self, member: Member) -> None:
        self._members = find_members(watch)
        self._members.add(member)

    def deregister(self, member: Member) -> None:
        self._members.discard(member)

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        self._members.keep_task(task)

    def get_stop_code(self) -> int:
        return CloseCode.GOING_AWAY


def drop(*args: Any) -> None:
    """Take a call and do nothing."""


def watch(members: Members) -> None:
    """Tell them when the server ends, which waits until they have ended, too."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    def end() -> Any:
        return Deferred.fromFuture(asyncio.ensure_future(members.end()))

    running: Any = reactor
    running.addSystemEventTrigger("before", "shutdown", end)
