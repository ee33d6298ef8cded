"""The servers under load: quiet ones, without an access log."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from soak.traffic import THREADS
from tests.servers.process import ServerProcess
from tests.servers.rows import Row


def uwsgi(name: str, *options: str) -> Row:
    """uWSGI with its router in front, as its documentation has it."""
    listening = ("--http", "127.0.0.1:PORT", "--http-websockets", "--disable-logging")
    site = ("--module", "soak.site:application")  # of two, the last one counts
    return Row(
        name,
        ("-m", "tests.servers.uwsgi", "{port}", *listening, *options, *site),
        package="uwsgidecorators",
    )


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
        uwsgi("uwsgi-threads", "--threads", "8"),
        uwsgi("uwsgi-gevent", "--gevent", "500", "--gevent-early-monkey-patch"),
        Row(
            "uvicorn",
            (
                *("-m", "uvicorn", "soak.site:asgi_application", "--port", "0"),
                *("--no-access-log", "--log-level", "info"),
            ),
            package="uvicorn",
        ),
    )
}


#: glibc's malloc gives threads arenas of their own, and each fills slowly to its high-water mark.
#: From a single one, what is freed here is used again there, and only what is held grows.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}


@contextmanager
def start(name: str, environment: Mapping[str, str] = ENVIRONMENT) -> Iterator[ServerProcess]:
    server = ServerProcess(SERVERS[name], environment=environment, certificates=None)
    try:
        yield server
        server.stop()
    finally:
        server.kill()
