"""The servers under load: quiet ones, without an access log."""

from collections.abc import Iterator
from contextlib import contextmanager

from soak.traffic import THREADS
from tests.servers.process import ServerProcess
from tests.servers.rows import Row

SERVERS = {
    row.name: row
    for row in (
        Row("gevent-pywsgi", ("-m", "soak.gevent_server"), package="gevent"),
        Row(
            "gunicorn-gthread",
            (
                *("-m", "gunicorn", "soak.site:application", "--bind", "127.0.0.1:0"),
                *("--worker-class", "gthread", "--workers", "1", "--threads", str(THREADS)),
                *("--graceful-timeout", "3", "--no-control-socket"),
            ),
            package="gunicorn",
        ),
    )
}


#: glibc's malloc gives threads arenas of their own, and each fills slowly to its high-water mark.
#: From a single one, what is freed here is used again there, and only what is held grows.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}


@contextmanager
def start(name: str) -> Iterator[ServerProcess]:
    server = ServerProcess(SERVERS[name], environment=ENVIRONMENT, certificates=None)
    try:
        yield server
        server.stop()
    finally:
        server.kill()
