"""The part that this process has in it: whether it takes connections, and gives its own when it
ends.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from dwebsocket.backends.gunicorn_worker import find_stop_signal, has_loaded, has_successor
from dwebsocket.backends.restarts import (
    call_when_serving,
    find_starter,
    get_announced,
    note_successor,
)
from dwebsocket.backends.sockets import ending
from dwebsocket.machine.passing import add_fact, add_kind, listen
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import log_failure

from .giving import Giving
from .kinds import FACT, KIND
from .leaving import find_leaving, has_beginning
from .successors import Successors, Takers
from .taking import Taking
from .waiting import Waiting

__all__ = ["expect", "take_part"]

logger = logging.getLogger("dwebsocket.connection")

#: The part of the time for which another process is waited for.
PART = 0.7


def describe() -> dict[str, Any]:
    """What a process that ends must know of one that may take its connections: when it began,
    whether it has loaded the site, since when it ends, and whether another one takes its place
    then.
    """
    signal = find_stop_signal()
    code, since = None if signal is None else signal(), ending.get_begin()
    if since is None and code is not None:  # it will notice in a moment
        since = time.monotonic()
    return {
        "began": find_begin(os.getpid()),
        "loaded": has_loaded(),
        "ends": since,
        "replaced": code == CloseCode.SERVICE_RESTART,
    }


@cache
def find_begin(pid: int) -> float:
    """When this process began to listen, on the clock of the machine; a fork is another one."""
    return time.monotonic()


def take_part() -> None:
    """See ``handover.take_part``."""
    try:
        find_begin(os.getpid())
        add_kind(KIND, Taking)
        add_fact(FACT, describe)
        ending.add_mover(hand_over)
        listen()
    except Exception:
        log_failure("This process takes no part in handing WebSockets over")


def expect() -> None:
    """See ``handover.expect``."""
    # Whoever ends looks for those who listen: one who has served no WebSocket yet is as good.
    call_when_serving(take_part)


def hand_over(find: Callable[[], Iterable[Any]], deadline: float) -> None:
    """Hand over what can be: see ``ending.Mover``."""
    # In this order: an opening may end in between.
    is_some = has_beginning(find(), set()) or find_leaving(find(), set())
    if get_announced() is None and not is_some:
        return
    now = time.monotonic()
    with find_takers(now + max(0.0, deadline - now) * PART) as successors:
        giving = Giving(find, successors, deadline)
        try:
            # One that was about to end itself has refused, perhaps, and others are yet to come.
            while successors.find(wait=has_successor()) and not giving.give_all():
                pass
        finally:
            giving.end()
    seconds, left = time.monotonic() - now, len(list(find()))
    logger.info("WebSockets handed over: %d in %.1f s, %d left", giving.count, seconds, left)


def find_takers(until: float) -> Takers:
    """The processes that go on.

    Args:
        until: when they must be there, ``time.monotonic()``.
    """
    starter, announced = find_starter(), get_announced()
    if starter is not None:
        return Waiting(starter)
    successors = Successors(until, since=announced)
    if announced is not None and successors.find(wait=False):
        note_successor()
    return successors
