"""The part that this process has in it: whether it takes connections, and gives its own when it
ends.
"""

from __future__ import annotations

import time
from typing import Any

from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.backends.sockets import ending
from dwebsocket.machine.passing import add_fact, add_kind, listen
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import log_failure

from .giving import hand_over
from .kinds import FACT, KIND
from .taking import Taking

__all__ = ["expect", "take_part"]


def describe() -> dict[str, Any]:
    """What a process that ends must know of one that may take its connections: when it began, since
    when it ends, and whether another one takes its place then.
    """
    signal = find_stop_signal()
    code, since = None if signal is None else signal(), ending.get_begin()
    if since is None and code is not None:  # it will notice in a moment
        since = time.monotonic()
    return {"began": BEGAN, "ends": since, "replaced": code == CloseCode.SERVICE_RESTART}


#: When this process began, on the clock of the machine.
BEGAN = time.monotonic()


def take_part() -> None:
    """See ``handover.take_part``."""
    try:
        add_kind(KIND, Taking)
        add_fact(FACT, describe)
        ending.add_mover(hand_over)
        listen()
    except Exception:
        log_failure("This process takes no part in handing WebSockets over")


def expect() -> None:
    """See ``handover.expect``."""
    # Whoever ends looks for those who listen: one who has served no WebSocket yet is as good.
    take_part()
