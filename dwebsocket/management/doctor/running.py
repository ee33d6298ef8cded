"""What the command line of a running server means for WebSockets; only what can be known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured

from dwebsocket.conf import conf
from dwebsocket.groups.workers import OTHERS
from dwebsocket.transports.descriptors import share_of

from .configuration import reaches_all_processes
from .findings import Finding, fault, ok, warning
from .gunicorn import examine_gunicorn
from .lets_go import lets_go
from .machine import too_few_descriptors
from .processes import ServerProcess, find_servers

__all__ = ["examine_running"]

MIB = 1 << 20

#: ASGI servers: the option for the seconds between their Pings, and what holds without it. Of those
#: that keep their connections.
PINGS: dict[str, tuple[str | None, float | None]] = {
    "uvicorn": ("--ws-ping-interval", 20),
    "daphne": ("--ping-interval", 20),
    "hypercorn": ("--websocket-ping-interval", None),
    "granian": (None, None),
}
#: The option for the bytes of their longest message, and what holds without it.
SIZES: dict[str, tuple[str | None, int]] = {
    "uvicorn": ("--ws-max-size", 16 * MIB),
    "daphne": ("--websocket-max-message-size", MIB),
    "hypercorn": (None, 16 * MIB),
    "granian": (None, 16 * MIB),
}


def examine_running() -> Iterator[Finding]:
    """Each server of this project that runs here, without asking it."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112
        yield ok("server", "This system does not show which servers run.")
        return
    servers = find_servers()
    if not servers:
        yield ok("server", "None of this project runs here, or none that is known.")
    for server in servers:
        yield from examine_server(server)


def examine_server(server: ServerProcess) -> Iterator[Finding]:
    name = f"{server.program} (process {server.pid})"
    if not server.words and server.program == "gunicorn":
        yield ok("server", f"{name} hides its command line by setproctitle: no option is known.")
        return
    found = [*EXAMINERS.get(server.program, examine_asgi)(server, name)]
    yield from found
    if server.environment is None:
        user = "it is another user's"
        yield ok("server", f"{name}: its variables and its directory are not known, {user}.")
    yield from examine_limits(server, name)


def examine_limits(server: ServerProcess, name: str) -> Iterator[Finding]:
    """The descriptors of the process itself, and its workers."""
    limit = server.max_descriptors
    with suppress(ImproperlyConfigured):
        wanted = conf.MAX_CONNECTIONS
        if limit is not None and wanted is not None:
            few = too_few_descriptors(wanted, share_of(limit), f"{name} may open {limit}")
            if few:
                yield few
    own = ("-p", "--processes") if server.program == "uwsgi" else ("-w",)
    workers = server.find_option("--workers", *own) or ""
    if workers.isdecimal() and int(workers) > 1 and not reaches_all_processes():
        yield warning(
            "server",
            f"{name} runs {workers} processes, and the backend of groups reaches the members in "
            "the sender's own only.",
            f"{OTHERS}; or run one process.",
        )


def examine_asgi(server: ServerProcess, name: str) -> Iterator[Finding]:
    """uvicorn, daphne, hypercorn, granian."""
    usual = "asgi"
    if server.program == "granian":
        usual = server.read_variable("GRANIAN_INTERFACE") or "rsgi"
    interface = server.find_option("--interface") or usual
    if interface not in ("asgi", "asgi3", "asginl", "auto"):
        yield fault("server", f"{name} runs --interface {interface}.", "Say --interface asgi.")
    elif server.find_option("--ws") == "none":
        yield fault("server", f"{name} runs with --ws none: 501.", "Leave the option out.")
    else:
        yield ok("server", f"{name} runs ASGI: views hold a thread each, async ones nothing.")
    if not lets_go(server.program):
        yield from examine_pings(server, name)
        yield from examine_size(server, name)


def examine_pings(server: ServerProcess, name: str) -> Iterator[Finding]:
    option, usual = PINGS[server.program]
    if usual is None and not (option and server.has_option(option)):
        yield warning(
            "server",
            f"{name} sends no Pings: proxies cut idle connections, and peers that vanish stay.",
            f"Say {option} 20." if option else "Let your page or your code say something.",
        )


def examine_size(server: ServerProcess, name: str) -> Iterator[Finding]:
    option, usual = SIZES[server.program]
    given = server.find_option(option) if option else None
    size = int(given) if given is not None and given.isdecimal() else usual
    with suppress(ImproperlyConfigured):
        if 0 < size < conf.MAX_MESSAGE_SIZE:
            yield warning(
                "server",
                f"{name} takes no message above {size} bytes, WEBSOCKET_MAX_MESSAGE_SIZE would.",
                f"Raise {option}, or lower the setting." if option else "Lower the setting.",
            )


def examine_uwsgi(server: ServerProcess, name: str) -> Iterator[Finding]:
    if server.has_option("--http") and not server.has_option("--http-websockets"):
        yield fault("server", f"{name} has --http alone: 501.", "Add --http-websockets.")
    else:
        yield ok("server", f"{name}. What an ini file says is not looked at.")


def examine_threaded(server: ServerProcess, name: str) -> Iterator[Finding]:
    yield ok("server", f"{name}: its threads are for HTTP, views have threads of their own.")


def examine_development(server: ServerProcess, name: str) -> Iterator[Finding]:
    yield ok("server", f"{name} is for development; a view holds a thread.")


EXAMINERS: dict[str, Callable[[ServerProcess, str], Iterator[Finding]]] = {
    "gunicorn": examine_gunicorn,
    "uwsgi": examine_uwsgi,
    "cheroot": examine_threaded,
    "waitress": examine_threaded,
    "runserver": examine_development,
    "runserver_plus": examine_development,
}
