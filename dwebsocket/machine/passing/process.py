"""What this process takes over, for all parts of it that do: one listener in a process, from when
it is needed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.supervisor import run_last

from .server import PassingServer, Receiver, find_passing_directory

__all__ = ["add_fact", "add_kind", "find_others", "get_name", "listen", "stop_listening"]

logger = logging.getLogger("dwebsocket.connection")

NOT_HEARD = "Other processes cannot pass connections to this one: %s. (Said once.)"

#: By kind, what makes a receiver.
kinds: dict[str, Callable[[], Receiver]] = {}

#: By name, what is told of this process.
facts: dict[str, Callable[[], Any]] = {}


class Process:
    """What every process has once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.server: PassingServer | None = None
        self.told = False


process = Process()


def add_kind(kind: str, make: Callable[[], Receiver]) -> None:
    """Take over what is of this kind; ``make`` is called for each connection that offers some."""
    kinds[kind] = make


def add_fact(name: str, find: Callable[[], Any]) -> None:
    """Tell this of the process to all who connect: it is asked each time, and is for JSON."""
    facts[name] = find


def describe() -> dict[str, Any]:
    return {name: find() for name, find in facts.items()}


def listen() -> None:
    """Listen from now on. Never raises: if it cannot be, the log says so once, and the next call
    tries again.
    """
    here = process
    if here.server is not None:
        return
    with here.lock:
        if here.server is not None:
            return
        try:
            here.server = PassingServer(find_passing_directory(), kinds, describe)
        except (OSError, InvalidGroupBackend) as error:
            if not here.told:
                here.told = True
                logger.warning(NOT_HEARD, error)
        else:
            run_last(stop_listening)


def stop_listening() -> None:
    """Take nothing over any more: the process ends."""
    server = process.server
    if server is not None:
        server.close()


def get_name() -> str | None:
    """What other processes know this one by; ``None``: it does not listen."""
    server = process.server
    return None if server is None else server.name


def find_others() -> list[str]:
    """The names of the other processes that listen, or did when they died. Never raises."""
    try:
        return sorted(find_passing_directory().names() - {get_name() or ""})
    except (OSError, InvalidGroupBackend):
        return []


def start_anew() -> None:
    """In a forked child the listener is the parent's."""
    global process
    server, process = process.server, Process()
    if server is not None:
        server.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
