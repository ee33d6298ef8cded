"""The part that this process has in it: whether it takes connections, and gives its own when it
ends.
"""

from __future__ import annotations

import time
from typing import Any

from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.backends.sockets import ending
from dwebsocket.conf import conf
from dwebsocket.machine.passing import add_fact, add_kind, find_others, listen
from dwebsocket.supervisor import log_failure

from .giving import hand_over
from .kinds import FACT, KIND
from .taking import Taking

__all__ = ["expect", "take_part"]


def describe() -> dict[str, Any]:
    """What a process that ends must know of one that may take its connections."""
    signal = find_stop_signal()
    is_ending = ending.has_begun() or (signal is not None and signal() is not None)
    return {"ends": is_ending, "began": BEGAN}


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
    try:
        wanted = conf.HANDOVER or bool(find_others())
    except Exception:  # a wrong setting, which a check tells of
        return
    if wanted:
        take_part()
