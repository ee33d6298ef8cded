"""What is measured: the works, and the targets we hold ourselves to."""

from dataclasses import dataclass

from bench.servers import Server


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    unit: str  # of the figure
    mode: str  # of the load generator: echo, connect or hold
    connections: int
    size: int = 0  # bytes of a message
    depth: int = 1  # messages in flight on a connection

    @property
    def needs_handshake(self) -> bool:
        return self.mode != "echo"

    def is_for(self, server: Server) -> bool:
        if server.works:
            return self.name in server.works
        return self is not IDLE_TLS and (server.websocket or not self.needs_handshake)


WORKS = (
    Work("echo", "125 B echo, one in flight", "µs", "echo", 100, 125),
    Work("echo16", "125 B echo, 16 in flight", "µs", "echo", 100, 125, 16),
    Work("echo64k", "64 KiB echo, one in flight", "µs", "echo", 10, 65536),
    Work("handshake", "Handshake", "µs", "connect", 32),
    Work("idle", "Idle connection, of 5,000", "KiB", "hold", 5000),
)
IDLE_TLS = Work("idle_tls", "Idle connection, of 2,000", "KiB", "hold", 2000)
ALL_WORKS = (*WORKS, IDLE_TLS)


@dataclass(frozen=True)
class Target:
    """Our figure must be at most `bound`: times the other server's, or in the work's own unit."""

    work: str
    against: str | None  # a server's name; None: an absolute bound
    bound: float
    words: str  # the bound as people say it
    ours: str = "django_gevent"  # which of our servers is held to it


def at_most(bound: float) -> tuple[float, str]:
    return bound, f"{bound:g} x"


def kib(bound: float) -> tuple[float, str]:
    return bound, f"{bound:g} KiB"


TARGETS = (
    Target("echo", "gevent_tcp", *at_most(0.9)),
    Target("echo", "channels_uvicorn", 1 / 6, "1/6"),
    Target("echo16", "picows_uvloop", *at_most(0.3)),
    Target("echo64k", "websockets_uvloop", *at_most(0.9)),
    Target("echo64k", "picows_uvloop", *at_most(1.8)),
    Target("handshake", "page_gevent", *at_most(1.25)),
    Target("idle", None, *kib(16)),
    Target("handshake", "page_gthread", *at_most(1.25), ours="django_gthread"),
    Target("echo", "picows_uvloop", *at_most(1.25), ours="handler_gthread"),
    Target("echo16", "picows_uvloop", *at_most(0.27), ours="handler_gthread"),
    Target("echo64k", "picows_uvloop", *at_most(1.5), ours="handler_gthread"),
    Target("handshake", "page_gthread", *at_most(1.25), ours="handler_gthread"),
    Target("idle", None, *kib(9), ours="handler_gthread"),
    Target("idle", None, *kib(2.5), ours="handler_light"),
    Target("echo", "django_gevent", *at_most(1), ours="handler_gevent"),
    Target("handshake", "page_gevent", *at_most(1.25), ours="handler_gevent"),
    Target("echo", "bare_uvicorn", *at_most(0.85), ours="async_uvicorn"),
    Target("echo", "channels_uvicorn", *at_most(0.4), ours="async_uvicorn"),
    Target("echo64k", "bare_uvicorn", *at_most(0.9), ours="async_uvicorn"),
    Target("handshake", "channels_uvicorn", *at_most(0.9), ours="async_uvicorn"),
    Target("idle", None, *kib(20), ours="async_uvicorn"),
    Target("echo", "bare_uvicorn", *at_most(0.85), ours="handler_async"),
    Target("echo64k", "bare_uvicorn", *at_most(0.9), ours="handler_async"),
    Target("handshake", "channels_uvicorn", *at_most(0.9), ours="handler_async"),
    Target("idle", None, *kib(20), ours="handler_async"),
    Target("echo", "channels_sync", *at_most(0.6), ours="view_uvicorn"),
    Target("handshake", "channels_uvicorn", *at_most(0.9), ours="view_uvicorn"),
    Target("echo", "handler_kept", *at_most(0.3), ours="handler_uvicorn"),
    Target("handshake", "channels_uvicorn", *at_most(0.9), ours="handler_uvicorn"),
    Target("idle", None, *kib(12), ours="handler_uvicorn"),
    Target("idle", None, *kib(4), ours="light_uvicorn"),
    Target("echo", "bare_uvicorn_tls", *at_most(1), ours="async_uvicorn_tls"),
    Target("echo64k", "bare_uvicorn_tls", *at_most(1), ours="async_uvicorn_tls"),
    Target("echo", "bare_uvicorn_tls", *at_most(1), ours="handler_async_tls"),
    Target("echo64k", "bare_uvicorn_tls", *at_most(1), ours="handler_async_tls"),
    Target("echo", "bare_uvicorn_tls", *at_most(1), ours="handler_uvicorn_tls"),
    Target("idle_tls", None, *kib(40), ours="handler_gthread_tls"),
)
