"""The echo servers: one file each, runnable alone with `python -m bench.servers.<name>`.

A server listens on a free port, calls `announce` when it can be connected to, and runs until it
is killed. All echo a message with its own type, without compression and without an access log.
"""

import os
from dataclasses import dataclass, replace

# The load opens up to 512 connections at once: none of them should have to knock twice.
BACKLOG = 1024

#: What servers are made of.
UVICORN = ("uvicorn", "websockets", "uvloop")
ON_UVICORN = ("dwebsocket", "Django", *UVICORN)
ON_GUNICORN = ("dwebsocket", "Django", "gunicorn")
ON_GEVENT = ("dwebsocket", "Django", "gevent")
CHANNELS_ON_UVICORN = ("channels", "Django", *UVICORN)


@dataclass(frozen=True)
class Server:
    name: str  # the module in this package, unless `module` is another
    title: str  # in tables and in the chart
    packages: tuple[str, ...]  # what it is made of: their versions belong to the figures
    websocket: bool = True  # False: a bare TCP echo, which has no handshake, or a page
    module: str = ""
    path: str = "/echo/"
    page: bool = False  # a plain page, asked for where others shake hands
    tls: bool = False
    works: tuple[str, ...] = ()  # by name, where not all are worth the time
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.packages[0] == "dwebsocket" and not self.page


def page(name: str, title: str, packages: tuple[str, ...], module: str) -> Server:
    return Server(name, title, packages, False, module, "/plain/", page=True, works=("handshake",))


def over_tls(server: Server) -> Server:
    return replace(
        server,
        name=f"{server.name}_tls",
        title=f"{server.title}, TLS",
        module=server.module or server.name,
        tls=True,
        works=("idle_tls",) if server.name == "handler_light" else ("echo", "echo64k", "idle_tls"),
    )


SERVERS = (
    Server("django_gevent", "dwebsocket, gevent", ON_GEVENT),
    Server("django_gthread", "dwebsocket, gthread", ON_GUNICORN),
    Server(
        "handler_gthread",
        "dwebsocket handler, gthread",
        ON_GUNICORN,
        module="django_gthread",
        path="/handler/",
    ),
    Server(
        "handler_light",
        "dwebsocket light handler, gthread",
        ON_GUNICORN,
        module="django_gthread",
        path="/handler/light/",
    ),
    Server(
        "handler_gevent",
        "dwebsocket handler, gevent",
        ON_GEVENT,
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
    Server("channels_uvicorn", "Channels, uvicorn, uvloop", CHANNELS_ON_UVICORN),
    Server("channels_daphne", "Channels, daphne", ("channels", "Django", "daphne", "Twisted")),
    Server(
        "channels_sync",
        "Channels, sync consumer, uvicorn, uvloop",
        CHANNELS_ON_UVICORN,
        module="channels_uvicorn",
        path="/sync/",
    ),
    Server("bare_uvicorn", "bare ASGI application, uvicorn, uvloop", UVICORN),
    Server(
        "async_uvicorn",
        "dwebsocket async view, uvicorn, uvloop",
        ON_UVICORN,
        module="django_uvicorn",
        path="/async/",
    ),
    Server("view_uvicorn", "dwebsocket, uvicorn, uvloop", ON_UVICORN, module="django_uvicorn"),
    Server(
        "handler_uvicorn",
        "dwebsocket handler, uvicorn, uvloop",
        ON_UVICORN,
        module="django_uvicorn",
        path="/handler/",
    ),
    Server(
        "handler_async",
        "dwebsocket async handler, uvicorn, uvloop",
        ON_UVICORN,
        module="django_uvicorn",
        path="/handler/async/",
    ),
    Server(
        "light_uvicorn",
        "dwebsocket light handler, uvicorn, uvloop",
        ON_UVICORN,
        module="django_uvicorn",
        path="/handler/light/",
        works=("idle",),
    ),
    Server(
        "light_async",
        "dwebsocket light async handler, uvicorn",
        ON_UVICORN,
        module="django_uvicorn",
        path="/handler/async/light/",
        works=("idle",),
    ),
    Server(
        "handler_kept",
        "dwebsocket handler, TAKE_OVER = False",
        ON_UVICORN,
        module="django_uvicorn",
        path="/handler/",
        works=("echo", "echo16"),
        environment=(("BENCH_TAKE_OVER", "no"),),
    ),
    page("page_gevent", "plain Django view, gevent", ON_GEVENT, "django_gevent"),
    page("page_gthread", "plain Django view, gthread", ON_GUNICORN, "django_gthread"),
)
OURS = SERVERS[0]

#: The same over TLS, with fewer works.
OVER_TLS = tuple(
    over_tls(server)
    for server in SERVERS
    if server.name
    in (
        "bare_uvicorn",
        *("async_uvicorn", "handler_async", "handler_uvicorn"),
        *("django_gthread", "handler_gthread", "handler_light", "handler_gevent"),
    )
)

#: Those that send one message to many; the first ones without a group, in a loop over all.
BARE_SEND = Server("bare_send", "bare socket.send", (), websocket=False)
BARE_ASGI_SEND = Server("bare_asgi_send", "bare ASGI send, uvicorn, uvloop", UVICORN)
FANOUT = (
    BARE_SEND,
    Server(
        "group_gthread",
        "dwebsocket Group, handlers, gthread",
        ON_GUNICORN,
        module="django_gthread",
        path="/fanout/",
    ),
    Server(
        "group_gevent",
        "dwebsocket Group, handlers, gevent",
        ON_GEVENT,
        module="django_gevent",
        path="/fanout/",
    ),
    BARE_ASGI_SEND,
    Server(
        "group_uvicorn",
        "dwebsocket Group, handlers, uvicorn, uvloop",
        ON_UVICORN,
        module="django_uvicorn",
        path="/fanout/",
    ),
    Server(
        "group_async",
        "dwebsocket Group, async handlers, uvicorn, uvloop",
        ON_UVICORN,
        module="django_uvicorn",
        path="/fanout/async/",
    ),
    Server("channels_uvicorn", "Channels, uvicorn, uvloop", CHANNELS_ON_UVICORN, path="/fanout/"),
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
        ON_GUNICORN,
        module="django_sync",
        path="/handler/light/",
    ),
    Server(
        "view_sync",
        "dwebsocket view, gunicorn sync, --timeout 5",
        ON_GUNICORN,
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
