"""What is told of a WebSocket."""

from __future__ import annotations

import os
import platform
from typing import Any, NamedTuple

from dwebsocket.groups.current import get_members
from dwebsocket.websocket import BaseWebSocket, seconds_since

from .users import find_known_user, key_of, name_of

__all__ = ["Connection", "build_id", "describe"]


class Connection(NamedTuple):
    """A WebSocket that is open, in whatever process.

    Attributes:
        id: names it, and no other one, for ``close()``.
        path: of its request; ``None`` if its handler has thrown that away.
        user: the user's name; ``None``: nobody is logged in, or nobody has looked who is.
        user_pk: the user's primary key, as text.
        address: the client's address, that of a proxy where it does not say more; ``None``: not
            known.
        age: seconds since it was accepted.
        received: messages that have come; ``None`` where that is not counted.
        sent: messages that were sent.
        bytes_in: bytes that have come on its TCP connection, with handshake and TLS; ``None`` where
            the system does not tell, as of Unix sockets, on ASGI servers, and elsewhere than on
            Linux.
        bytes_out: bytes that were sent on it.
        waiting: bytes that wait in the process to be sent.
        kind: what serves it: "view", "async view", "handler", "async handler".
        view: the view, or the handler's class, as a dotted path; ``None``: not known.
        groups: the groups in which it is.
        host: the name of its process's machine.
        pid: the number of its process there.
        transport: what carries it now: "websocket", or "polling".
    """

    id: str
    path: str | None
    user: str | None
    user_pk: str | None
    address: str | None
    age: float
    received: int | None
    sent: int
    bytes_in: int | None
    bytes_out: int | None
    waiting: int
    kind: str | None
    view: str | None
    groups: tuple[str, ...]
    host: str
    pid: int
    transport: str = "websocket"


class ThisProcess:
    """What all connections of this process have in common."""

    def __init__(self) -> None:
        self.token = os.urandom(3).hex()
        self.host = platform.node()
        self.pid = os.getpid()


this_process = ThisProcess()


def build_id(websocket: BaseWebSocket) -> str:
    """What names it: the process, and when it was accepted, which no other one of it was."""
    return f"{this_process.token}-{websocket._opened:x}"


def describe(websocket: BaseWebSocket) -> Connection:
    """Look at a WebSocket of this process. Asks no database, and waits for nothing."""
    origin = websocket._origin
    request, kind, handler = (None, None, None) if origin is None else origin.served
    user = find_known_user(request)
    meta = getattr(request, "META", {})
    traffic = websocket._read_traffic() or (None, None)
    return Connection(
        id=build_id(websocket),
        path=getattr(request, "path", None),
        user=None if user is None else name_of(user),
        user_pk=None if user is None else key_of(user),
        address=meta.get("REMOTE_ADDR") or websocket._find_address(),
        age=round(seconds_since(websocket._opened), 3),
        received=websocket._count_received(),
        sent=websocket._sent,
        bytes_in=traffic[0],
        bytes_out=traffic[1],
        waiting=websocket._count_waiting(),
        kind=kind,
        view=find_view(request, handler),
        groups=tuple(get_members().groups_of(websocket)),
        host=this_process.host,
        pid=this_process.pid,
        transport=websocket.transport,
    )


def find_view(request: Any, handler: Any) -> str | None:
    """A dotted path."""
    if handler is not None:
        return f"{handler.__module__}.{handler.__qualname__}"
    match = getattr(request, "resolver_match", None)
    return None if match is None else match._func_path


def start_anew() -> None:
    """In a forked child, which is another process."""
    global this_process
    this_process = ThisProcess()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
