"""How each WSGI server lets go of its socket: one file a server.

A file says how to recognise the server, how to take the socket with the bytes already read of it,
and what the server wants at the end. A new server is a new file and a line in ``TAKEOVERS``, whose
titles are told to whoever runs a server that is not among them.
"""

from __future__ import annotations

from typing import Any

from dwebsocket.exceptions import SocketTakeoverError

from .base import SocketTakeover, name_of
from .cheroot import CherootTakeover
from .eventlet import EventletTakeover
from .gevent import GeventTakeover
from .gunicorn import GunicornPywsgiTakeover, GunicornTakeover
from .waitress import WaitressTakeover
from .werkzeug import WerkzeugTakeover
from .wsgiref import WsgirefTakeover

__all__ = ["SocketTakeover", "find_takeover"]

#: Asked in this order: those that a key of the environ tells for sure come first.
TAKEOVERS: list[type[SocketTakeover]] = [
    GunicornTakeover,
    GunicornPywsgiTakeover,
    WerkzeugTakeover,
    EventletTakeover,
    WaitressTakeover,
    GeventTakeover,
    CherootTakeover,
    WsgirefTakeover,
]

SUPPORTED = ", ".join(takeover_class.title for takeover_class in TAKEOVERS)


def find_takeover(environ: dict[str, Any]) -> SocketTakeover:
    """The takeover for the server that made this environ.

    Raises:
        SocketTakeoverError: none of those we know did.
    """
    for takeover_class in TAKEOVERS:
        if takeover_class.matches(environ):
            return takeover_class(environ)
    for takeover_class in TAKEOVERS:
        stream = takeover_class.find_input(environ)
        if stream is not None:
            environ["wsgi.input"] = stream  # again: a handshake has no body
            return takeover_class(environ)
    name = environ.get("SERVER_SOFTWARE") or "this server"
    raise SocketTakeoverError(
        f"WebSockets cannot work here: {name} does not let go of its socket. Servers that do: "
        f"{SUPPORTED}; ASGI servers do with mysite.asgi, and without --interface wsgi. If it is "
        f"one of them then WSGI middleware hides the socket: wsgi.input is "
        f"{name_of(environ.get('wsgi.input'))}. Have it leave requests with Upgrade alone."
    )
