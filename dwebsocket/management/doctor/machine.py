"""What this machine allows: descriptors, threads, processors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

from django.core.exceptions import ImproperlyConfigured

from dwebsocket.backends.room import default_max_connections
from dwebsocket.conf import conf
from dwebsocket.transports.descriptors import find_share

from .findings import Finding, ok, warning

__all__ = ["examine_machine", "too_few_descriptors"]

RAISE_DESCRIPTORS = (
    "Raise the limit of what starts the server: ulimit -n (up to the hard limit), LimitNOFILE= in "
    "systemd, ulimits: nofile: of a container; or lower the setting."
)


def examine_machine() -> Iterator[Finding]:
    """The limits of this shell; a server that was started otherwise may have others."""
    with suppress(ImproperlyConfigured):  # the settings' own findings say so
        yield examine_descriptors()
    with suppress(ImproperlyConfigured):
        yield examine_threads()
    yield examine_processors()


def examine_descriptors() -> Finding:
    share = find_share()
    if resource is None or share is None:
        return ok("descriptors", "There is no limit.")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = "no hard limit" if hard == resource.RLIM_INFINITY else f"hard limit {hard}"
    limits = f"A process may open {soft} ({most})"
    wanted = conf.MAX_CONNECTIONS
    if wanted is None:
        return ok("descriptors", f"{limits}: room for {default_max_connections()} WebSockets.")
    return too_few_descriptors(wanted, share, limits) or ok(
        "descriptors", f"{limits}: room for the {wanted} of WEBSOCKET_MAX_CONNECTIONS."
    )


def too_few_descriptors(wanted: int, share: int, limits: str) -> Finding | None:
    """The warning where ``WEBSOCKET_MAX_CONNECTIONS`` is above what a process has for them."""
    if wanted <= share:
        return None
    return warning(
        "descriptors",
        f"{limits}, and WEBSOCKET_MAX_CONNECTIONS is {wanted}: the handshake gets 503 beyond some "
        f"{share}.",
        RAISE_DESCRIPTORS,
    )


def examine_threads() -> Finding:
    views = conf.VIEW_THREADS
    bounds = [*find_thread_bounds()]
    for name, bound, option in bounds:
        if bound < views:
            return warning(
                "threads",
                f"WEBSOCKET_VIEW_THREADS is {views}, and {name} allows {bound} in all: views get "
                "503 beyond.",
                f"Raise it ({option}), lower the setting, or write handlers, which hold no thread.",
            )
    return ok("threads", f"{views} views may have a thread in each process." if views else NONE)


NONE = "WEBSOCKET_VIEW_THREADS is 0: views stay in the server's threads."


def find_thread_bounds() -> Iterator[tuple[str, int, str]]:
    """What bounds threads, how many it allows, and how that is raised."""
    if resource is not None and hasattr(resource, "RLIMIT_NPROC"):
        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        if soft != resource.RLIM_INFINITY and os.getuid() != 0:  # root has no such limit
            yield "the limit of this user", soft, "ulimit -u"
    for group in find_groups():
        with suppress(OSError, ValueError):  # "max": no limit
            bound = int((group / "pids.max").read_text())
            yield "the control group", bound, "TasksMax= in systemd, the pids limit of a container"


def find_groups() -> Iterator[Path]:
    """The control groups of this process, of version 2, and of version 1 that counts threads."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controller, path = line.split(":", 2)
            if controller in ("", "pids"):
                yield Path(f"/sys/fs/cgroup/{controller}{path}")


def examine_processors() -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    advice = "one worker process is enough" if count == 1 else "a worker process uses about one"
    return ok("processors", f"{count}; {advice}. A connection stays with its worker.")
