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
    name: str  # the module in this package, unless `module` is another
    title: str  # in tables and in the chart
    packages: tuple[str, ...]  # what it is made of: their versions belong to the figures
    websocket: bool = True  # False: a bare TCP echo, which has no handshake
    module: str = ""
    path: str = "/echo/"

    @property
    def is_ours(self) -> bool:
        return self.packages[0] == "dwebsocket"


SERVERS = (
    Server("django_gevent", "dwebsocket, gevent", ("dwebsocket", "Django", "gevent")),
    Server("django_gthread", "dwebsocket, gthread", ("dwebsocket", "Django", "gunicorn")),
    Server(
        "handler_gthread",
        "dwebsocket handler, gthread",
        ("dwebsocket", "Django", "gunicorn"),
        module="django_gthread",
        path="/handler/",
    ),
    Server(
        "handler_light",
        "dwebsocket handler, keep_request = False",
        ("dwebsocket", "Django", "gunicorn"),
        module="django_gthread",
        path="/handler/light/",
    ),
    Server(
        "handler_gevent",
        "dwebsocket handler, gevent",
        ("dwebsocket", "Django", "gevent"),
        module="django_gevent",
        path="/handler/",
    ),
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
    Server(
        "channels_sync",
        "Channels, sync consumer, uvicorn, uvloop",
        ("channels", "Django", "uvicorn", "websockets", "uvloop"),
        module="channels_uvicorn",
        path="/sync/",
    ),
    Server(
        "bare_uvicorn",
        "bare ASGI application, uvicorn, uvloop",
        ("uvicorn", "websockets", "uvloop"),
    ),
    Server(
        "async_uvicorn",
        "dwebsocket async view, uvicorn, uvloop",
        ("dwebsocket", "Django", "uvicorn", "websockets", "uvloop"),
        module="django_uvicorn",
        path="/async/",
    ),
    Server(
        "view_uvicorn",
        "dwebsocket, uvicorn, uvloop",
        ("dwebsocket", "Django", "uvicorn", "websockets", "uvloop"),
        module="django_uvicorn",
    ),
    Server(
        "handler_uvicorn",
        "dwebsocket handler, uvicorn, uvloop",
        ("dwebsocket", "Django", "uvicorn", "websockets", "uvloop"),
        module="django_uvicorn",
        path="/handler/",
    ),
    Server(
        "handler_async",
        "dwebsocket async handler, uvicorn, uvloop",
        ("dwebsocket", "Django", "uvicorn", "websockets", "uvloop"),
        module="django_uvicorn",
        path="/handler/async/",
    ),
)
OURS = SERVERS[0]

#: Those that send one message to many; the first ones without a group, in a loop over all.
BARE_SEND = Server("bare_send", "bare socket.send", (), websocket=False)
BARE_ASGI_SEND = Server(
    "bare_asgi_send", "bare ASGI send, uvicorn, uvloop", ("uvicorn", "websockets", "uvloop")
)
FANOUT = (
    BARE_SEND,
    Server(
        "group_gthread",
        "dwebsocket Group, handlers, gthread",
        ("dwebsocket", "Django", "gunicorn"),
        module="django_gthread",
        path="/fanout/",
    ),
    Server(
        "group_gevent",
        "dwebsocket Group, handlers, gevent",
        ("dwebsocket", "Django", "gevent"),
        module="django_gevent",
        path="/fanout/",
    ),
    BARE_ASGI_SEND,
    Server(
        "group_uvicorn",
        "dwebsocket Group, handlers, uvicorn, uvloop",
        ("dwebsocket", "Django", "uvicorn", "websockets", "uvloop"),
        module="django_uvicorn",
        path="/fanout/",
    ),
    Server(
        "group_async",
        "dwebsocket Group, async handlers, uvicorn, uvloop",
        ("dwebsocket", "Django", "uvicorn", "websockets", "uvloop"),
        module="django_uvicorn",
        path="/fanout/async/",
    ),
    Server(
        "channels_uvicorn",
        "Channels, uvicorn, uvloop",
        ("channels", "Django", "uvicorn", "websockets", "uvloop"),
        path="/fanout/",
    ),
    Server(
        "channels_daphne",
        "Channels, daphne",
        ("channels", "Django", "daphne", "Twisted"),
        path="/fanout/",
    ),
)

#: Further ones for the crowd.
CROWD = (
    Server(
        "handler_sync",
        "dwebsocket handler, gunicorn sync",
        ("dwebsocket", "Django", "gunicorn"),
        module="django_sync",
        path="/handler/light/",
    ),
    Server(
        "view_sync",
        "dwebsocket view, gunicorn sync, --timeout 5",
        ("dwebsocket", "Django", "gunicorn"),
        module="django_sync",
    ),
    Server(
        "handler_uwsgi",
        "dwebsocket handler, uWSGI --threads 2",
        ("dwebsocket", "Django", "uwsgi"),
        module="django_uwsgi_threads",
        path="/handler/light/",
    ),
)


#: Behind the gateway; measured where it is named.
GATEWAY = (
    Server(
        "handler_gateway",
        "dwebsocket handler, gateway (both processes)",
        ("dwebsocket", "Django", "tornado", "pyzmq"),
        module="django_gateway",
        path="/handler/light/",
    ),
)


def announce(port: int, *pids: int) -> None:
    """Tell the bench where to connect and whose CPU time and memory to read: the caller's, unless
    it names processes.
    """
    named = ",".join(map(str, pids or [os.getpid()]))
    print(f"listening on port {port} in process {named}", flush=True)
