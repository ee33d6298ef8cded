"""Which way the connections of this server go: taken from it, or by the protocol that it speaks
itself. The log is told of each way once.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from dwebsocket.conf import conf

from .connection import AsgiConnection
from .servers import AsgiTakeover, find_takeover

__all__ = ["find_way"]

logger = logging.getLogger("dwebsocket.handshake")


def find_way(connection: AsgiConnection) -> AsgiTakeover | None:
    """How to take this connection from its server, which reads nothing from now on; ``None``: it
    stays with the server.
    """
    try:
        may_take = conf.TAKE_OVER
    except ImproperlyConfigured:  # told with a refusal, as any wrong setting
        return None
    if not may_take:
        tell_kept("WEBSOCKET_TAKE_OVER is False")
        return None
    if connection.scope.get("http_version", "1.1") != "1.1":  # it carries other requests, too
        tell_kept("the client speaks HTTP/2")
        return None
    takeover = find_takeover(connection.receive, connection.send)
    if takeover is None:
        tell_kept(f"receive is {name_of(connection.receive)}, of a server or middleware unknown")
        return None
    if takeover.transport.get_extra_info("sslcontext") is not None:
        connection.scope.setdefault("scheme", "wss")  # not every server says so
    tell_taken(takeover.title)
    takeover.hold()
    return takeover


def name_of(function: Any) -> str:
    """What a callable is, for whoever has put it there."""
    function = getattr(function, "func", function)
    owner = getattr(function, "__self__", None)
    kind = function if owner is None else type(owner)
    module = getattr(kind, "__module__", None) or type(kind).__module__
    return f"{module}.{getattr(kind, '__qualname__', type(kind).__qualname__)}"


@cache
def tell_taken(title: str) -> None:
    logger.info("WebSockets: %s lets go of its connections, dwebsocket speaks the protocol", title)


@cache
def tell_kept(why: str) -> None:
    logger.info("WebSockets: the ASGI server speaks the protocol: %s", why)
