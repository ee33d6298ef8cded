"""Bytes in and out of a socket, for each way a server waits: threads, gevent, eventlet; and TLS.

``base`` is the contract. A transport knows no WebSocket and no Django.
"""

from __future__ import annotations

import socket
import ssl
from functools import cache
from types import ModuleType
from typing import Any

from .base import Transport

__all__ = [
    "Transport",
    "create_transport",
    "find_library",
    "find_transport_class",
    "waits_in_greenlets",
]


def find_library(thing: object) -> str:
    """The name of the package that something's type comes from: a socket's is how it waits."""
    return type(thing).__module__.partition(".")[0]


def waits_in_greenlets(sock: Any) -> bool:
    """Whether those who use this server's socket all run in one thread."""
    return find_library(sock) in ("gevent", "eventlet")


def create_transport(sock: Any) -> Transport:
    """The transport for a server's socket, chosen by the socket's own type.

    Args:
        sock: a connected stream socket of ``socket``, ``ssl``, gevent or eventlet.
    """
    return find_transport_class(sock)(sock)


def find_transport_class(sock: Any) -> type[Transport]:
    """The class of transports for such a socket."""
    kind: Any = type(sock)
    # Without MSG_DONTWAIT (Windows) a plain socket is driven as TLS is: never blocking.
    return _find_class(kind, hasattr(socket, "MSG_DONTWAIT"))


@cache  # there are a handful of such types
def _find_class(kind: type, dontwait: bool) -> type[Transport]:
    library = kind.__module__.partition(".")[0]
    if library == "gevent":
        from . import gevent as gevent_transports

        return _find_in(gevent_transports, tls=hasattr(kind, "pending"))
    if library == "eventlet":
        from . import eventlet as eventlet_transports

        return _find_in(eventlet_transports, tls=hasattr(kind, "pending"))
    from . import threads

    if issubclass(kind, ssl.SSLSocket):
        return threads.TLSTransport
    return threads.PlainTransport if dontwait else threads.TriedPlainTransport


def _find_in(module: ModuleType, *, tls: bool) -> type[Transport]:
    found: type[Transport] = module.TLSTransport if tls else module.PlainTransport
    return found
