"""What is measured: the works, and the targets we hold ourselves to."""

from dataclasses import dataclass


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


WORKS = (
    Work("echo", "125 B echo, one in flight", "µs", "echo", 100, 125),
    Work("echo16", "125 B echo, 16 in flight", "µs", "echo", 100, 125, 16),
    Work("echo64k", "64 KiB echo, one in flight", "µs", "echo", 10, 65536),
    Work("handshake", "Handshake", "µs", "connect", 32),
    Work("idle", "Idle connection, of 5,000", "KiB", "hold", 5000),
)


@dataclass(frozen=True)
class Target:
    """Our figure must be at most `bound`: times the other server's, or in the work's own unit."""

    work: str
    against: str | None  # a server's name; None: an absolute bound
    bound: float
    words: str  # the bound as people say it
    ours: str = "django_gevent"  # which of our servers is held to it


TARGETS = (
    Target("echo", "gevent_tcp", 0.9, "0.9 x"),
    Target("echo", "channels_uvicorn", 1 / 6, "1/6"),
    Target("echo16", "picows_uvloop", 0.3, "0.3 x"),
    Target("echo64k", "websockets_uvloop", 0.9, "0.9 x"),
    Target("echo64k", "picows_uvloop", 1.8, "1.8 x"),
    Target("handshake", "channels_uvicorn", 0.6, "0.6 x"),
    Target("idle", None, 16, "16 KiB"),
    Target("echo", "picows_uvloop", 1.3, "1.3 x", ours="handler_gthread"),
    Target("echo16", "picows_uvloop", 0.25, "0.25 x", ours="handler_gthread"),
    Target("echo64k", "picows_uvloop", 1.5, "1.5 x", ours="handler_gthread"),
    Target("echo", "django_gevent", 1.0, "1.0 x", ours="handler_gevent"),
    Target("idle", None, 9, "9 KiB", ours="handler_gthread"),
    Target("echo", "bare_uvicorn", 1.25, "1.25 x", ours="async_uvicorn"),
    Target("echo", "channels_uvicorn", 0.4, "0.4 x", ours="async_uvicorn"),
    Target("echo", "channels_sync", 0.6, "0.6 x", ours="view_uvicorn"),
    Target("idle", None, 14, "14 KiB", ours="async_uvicorn"),
    Target("idle", None, 2.5, "2.5 KiB", ours="handler_light"),
)
