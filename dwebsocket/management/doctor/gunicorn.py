"""What gunicorn's options mean: its command line, its variable, plain lines of its file."""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Finding, fault, ok, warning
from .lets_go import lets_go
from .processes import ServerProcess

__all__ = ["examine_gunicorn"]

COMPUTED = "computed by its file"

#: Worker class: what a view holds.
WORKERS = {
    "sync": "a view has a thread of its own",
    "gthread": "a view has a thread of its own, --threads are for HTTP",
    "gevent": "a view holds a greenlet",
    "gevent_pywsgi": "a view holds a greenlet",
    "asgi": "a view has a thread of its own, an async one holds nothing",
}


def examine_gunicorn(server: ServerProcess, name: str) -> Iterator[Finding]:
    """The worker class decides; the others are told."""
    worker = look_up(server, "worker_class", "sync", "-k", "--worker-class")
    threads = look_up(server, "threads", "1", "--threads")
    if worker == "sync" and threads.isdecimal() and int(threads) > 1:
        worker = "gthread"  # as gunicorn does
    count = look_up(server, "workers", server.read_variable("WEB_CONCURRENCY") or "1", *COUNT)
    timeout = look_up(server, "timeout", "30", "-t", "--timeout")
    options = f"worker class {worker}, workers {count}, threads {threads}, timeout {timeout}"
    if worker == "tornado":
        yield fault(
            "server",
            f"{name}: {options}. This worker does not let go of its sockets: 501.",
            "Say -k gthread.",
        )
    elif worker == "asgi" and not lets_go("gunicorn"):
        yield warning(
            "server",
            f"{name}: {options}; {WORKERS[worker]}. It sends no Pings.",
            "Let your page or your code say something, for proxies cut idle connections.",
        )
    else:
        holds = WORKERS.get(worker, "what that worker does is not known")
        yield ok("server", f"{name}: {options}; {holds}.")


COUNT = ("-w", "--workers")


def look_up(server: ServerProcess, setting: str, default: str, *options: str) -> str:
    """The value by which gunicorn runs, as text."""
    given = server.find_option(*options)
    if given is not None:
        return given
    value = server.constants.get(setting, default)
    return COMPUTED if value is ... else str(value)
