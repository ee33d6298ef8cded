"""Whether the processes of the site on this machine find each other: where they meet, and who may
not get there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from dwebsocket.conf import conf

from .findings import Finding, ok, warning
from .processes import ServerProcess, find_servers

__all__ = ["examine_meeting", "find_meeting_place"]

ONE_DIRECTORY = "Set WEBSOCKET_RUN_DIR to a directory that all processes of the site see."


def find_meeting_place(backend: Any) -> Path | None:
    """The run directory of a backend that has one."""
    directory = getattr(backend, "directory", None)
    return None if directory is None else Path(directory.path)


def examine_meeting(backend: Any) -> Iterator[Finding]:
    """Of ``MachineGroupBackend``."""
    place = find_meeting_place(backend)
    assert place is not None
    pids = [name.partition(".")[0] for name in backend.list_processes()]
    who = f"listening there: {len(pids)}" if pids else "nobody listens there just now"
    shown = f" ({', '.join(pids)})" if pids else ""
    yield ok(
        "groups",
        f"{type(backend).__name__} reaches the processes that meet in {place}: {who}{shown}.",
    )
    for server in find_servers():
        yield from examine_server(server, place)


def examine_server(server: ServerProcess, place: Path) -> Iterator[Finding]:
    """What keeps a server from meeting this process, as a shell and a task queue would want to."""
    name = f"{server.program} (process {server.pid})"
    user = find_user(server.pid)
    if user is not None and user != os.geteuid():
        yield warning(
            "groups",
            f"{name} runs as the user {user}, and this process as {os.geteuid()}: groups do not "
            "reach from one to the other.",
            "Run commands, task queues and cron jobs as the user of the server.",
        )
    elif not sees_the_same(server.pid, place):
        yield warning(
            "groups",
            f"{name} sees another {place.parent} than this process does (PrivateTmp of systemd, "
            "or a container): groups do not reach from one to the other.",
            ONE_DIRECTORY,
        )
    else:
        yield from examine_variables(server, name)


def examine_variables(server: ServerProcess, name: str) -> Iterator[Finding]:
    if conf.RUN_DIR is not None or server.environment is None:
        return
    for variable, own in (
        ("TMPDIR", os.environ.get("TMPDIR")),
        ("DJANGO_SETTINGS_MODULE", getattr(settings, "SETTINGS_MODULE", None)),
    ):
        theirs = server.read_variable(variable)
        if theirs != own and (theirs is not None or variable == "TMPDIR"):
            yield warning(
                "groups",
                f"{name} has {variable}={theirs or ''}, and this process {own or 'none'}: groups "
                "do not reach from one to the other.",
                ONE_DIRECTORY,
            )


def find_user(pid: int) -> int | None:
    """Whom the server's workers run as: the first one that it has started, or itself."""
    children = ""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    for one in [*children.split()[:1], str(pid)]:
        with suppress(OSError):
            return Path(f"/proc/{one}").stat().st_uid
    return None


def sees_the_same(pid: int, place: Path) -> bool:
    """Whether a path is the same directory for another process; true if that cannot be seen."""
    while not place.exists():
        place = place.parent
    try:
        return Path(f"/proc/{pid}/root{place}").samefile(place)
    except FileNotFoundError:
        return False
    except OSError:
        return True
