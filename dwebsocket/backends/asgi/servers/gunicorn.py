"""gunicorn's own ``asgi`` worker: an asyncio protocol is the connection, and hands what comes to an
object whose methods are the two callables.
"""

from __future__ import annotations

from typing import Any

from .base import ENDED, AsgiTakeover, Member, find_owner, is_a

__all__ = ["GunicornTakeover"]


class GunicornTakeover(AsgiTakeover):
    """Takes a connection from gunicorn."""

    title = "gunicorn -k asgi"

    __slots__ = ("_protocol", "_websocket", "_worker", "transport")

    def __init__(self, websocket: Any, protocol: Any) -> None:
        self._websocket = websocket
        self._protocol = protocol
        self._worker = protocol.worker
        self.transport = websocket.transport

    @classmethod
    def find(cls, receive: Any, send: Any) -> AsgiTakeover | None:
        websocket = find_owner(receive, send, "gunicorn.asgi.websocket")
        protocol = None if websocket is None else websocket.transport.get_protocol()
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
        websocket.transport = protocol.transport = protocol.writer = ENDED
        protocol.connection_lost(None)
