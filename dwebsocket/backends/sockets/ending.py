"""The end of a process that has open connections: some go to another process, and the others are
told to come again, not all at once where somebody is there already to take them.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from dwebsocket.backends import gunicorn_worker, restarts
from dwebsocket.conf import conf
from dwebsocket.supervisor import log_failure
from dwebsocket.transports.descriptors import give_reserve

__all__ = [
    "Mover",
    "add_mover",
    "add_source",
    "drain",
    "find_all",
    "get_begin",
    "has_begun",
    "has_successor",
    "move",
]

#: Seconds that are left of the time that the server gives, for the last Closes.
RESERVE = 1.5

#: Seconds between two looks at whether the successors are still there.
INTERVAL = 0.5

#: Hands connections over to another process: gets what gives those that are open, and until when.
Mover = Callable[[Callable[[], Iterable[Any]], float], None]


class Ending:
    """What is known of the end of this process."""

    def __init__(self) -> None:
        self.movers: list[Mover] = []
        self.sources: list[Callable[[], Iterable[Any]]] = []
        self.lock = threading.Lock()  # held while connections move
        self.began: float | None = None
        self.grace = 0.0  # seconds from then


ending = Ending()


def add_mover(mover: Mover) -> None:
    """Call this when the process ends; once, however often it is added."""
    if mover not in ending.movers:
        ending.movers.append(mover)


def add_source(source: Callable[[], Iterable[Any]]) -> None:
    """These end with the process, too: what is open besides the connections of sweepers."""
    if source not in ending.sources:
        ending.sources.append(source)


def find_all(connections: Iterable[Any]) -> list[Any]:
    """These, but for those that a session here ends, and what the sources give."""
    own = [one for one in connections if not one._is_left_to_session]
    return own + [one for source in ending.sources for one in source()]


def has_begun() -> bool:
    """Whether this process ends."""
    return ending.began is not None


def get_begin() -> float | None:
    """When the end of this process began, ``time.monotonic()``; ``None``: it does not end."""
    return ending.began


def find_deadline() -> float:
    """When all must be over, ``time.monotonic()``."""
    if ending.began is None:
        ending.began = monotonic()
        is_ours = restarts.find_starter() is not None or restarts.get_announced() is not None
        ending.grace = (restarts if is_ours else gunicorn_worker).find_grace()
    return ending.began + ending.grace - RESERVE


def has_successor() -> bool:
    """Whether others wait for the clients of this process already."""
    return gunicorn_worker.has_successor() or restarts.has_successor()


def move(find: Callable[[], Iterable[Any]]) -> None:
    """Hand over to another process what can be. Never raises."""
    deadline = find_deadline()
    give_reserve()  # to find the others takes some, and others may have filled the table
    with ending.lock:
        for mover in ending.movers:
            try:
                mover(find, deadline)
            except Exception:
                log_failure("Open WebSockets could not be handed over to another process")


def drain(
    find: Callable[[], Iterable[Any]],
    close: Callable[[Any], None],
    sleep: Callable[[float], None],
) -> None:
    """Close connections one after the other, at random times, where others wait for their clients
    already. Those that are left are closed by whoever calls this.
    """
    now = monotonic()
    seconds = min(conf.DRAIN, find_deadline() - now)
    if seconds <= 0 or not has_successor():
        return
    times = sorted((now + random.uniform(0, seconds), number) for number, _ in enumerate(find()))
    waiting = list(find())
    random.shuffle(waiting)
    looked = now
    for (when, _), one in zip(times, waiting, strict=False):
        while (now := monotonic()) < when:
            sleep(min(INTERVAL, when - now))
            if now > looked + INTERVAL:
                looked = now
                if not has_successor():  # all of the site is told to end
                    return
        close(one)


def start_anew() -> None:
    """In a forked child nothing of that is true."""
    global ending
    before, ending = ending, Ending()
    ending.movers += before.movers
    ending.sources += before.sources


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
