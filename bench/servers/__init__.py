"""The echo servers: one file each, runnable alone with `python -m bench.servers.<name>`.

A server listens on a free port, calls `announce` when it can be connected to, and runs until it
is killed. All echo a message with its own type, without compression and without an access log.
"""

import os
from dataclasses import dataclass

# The load opens up to 512 connections at once: none of them should have to knock twice.
BACKLOG = 1024


@dataclass(frozen=True)
class Server:
    name: str  # the module in this package
    title: str  # in tables and in the chart
    packages: tuple[str, ...]  # what it is made of: their versions belong to the figures
    websocket: bool = True  # False: a bare TCP echo, which has no handshake


SERVERS = (
    Server("django_gevent", "dwebsocket, gevent", ("dwebsocket", "Django", "gevent")),
    Server("django_gthread", "dwebsocket, gthread", ("dwebsocket", "Django", "gunicorn")),
    Server("django_uwsgi", "dwebsocket, uWSGI gevent", ("dwebsocket", "Django", "uwsgi", "gevent")),
    Server("gevent_tcp", "bare TCP echo, gevent", ("gevent",), websocket=False),
    Server("picows_uvloop", "picows, uvloop", ("picows", "aiofastnet", "uvloop")),
    Server("websockets_uvloop", "websockets, uvloop", ("websockets", "uvloop")),
    Server("aiohttp_uvloop", "aiohttp, uvloop", ("aiohttp", "uvloop")),
    Server("gevent_websocket", "gevent-websocket", ("gevent-websocket", "wsaccel", "gevent")),
    Server("simple_websocket", "simple-websocket, gevent", ("simple-websocket", "gevent")),
    Server(
        "channels_uvicorn",
        "Channels, uvicorn, uvloop",
        ("channels", "Django", "uvicorn", "websockets", "uvloop"),
    ),
    Server("channels_daphne", "Channels, daphne", ("channels", "Django", "daphne", "Twisted")),
)
OURS = SERVERS[0]


def announce(port: int) -> None:
    """Tell the bench where to connect and whose CPU time and memory to read."""
    print(f"listening on port {port} in process {os.getpid()}", flush=True)
