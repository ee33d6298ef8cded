"""Calls functions some milliseconds later, whatever those who asked for that are doing by then."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable

from dwebsocket.supervisor import Service, log_failure

__all__ = ["TICK", "Clock", "call_later"]

#: Seconds after which a function is called at the earliest; twice as many at the latest, where
#: threads do not wait for each other.
TICK = 0.004

#: Ticks without a call after which the clock stands still. To set it going costs more than a tick.
QUIET_TICKS = 25


class Clock:
    """The clock of one process."""

    def __init__(self, tick: float = TICK) -> None:
        self._tick = tick
        self._calls: deque[Callable[[], None]] = deque()
        self._wanted = threading.Condition()
        self._rests = False
        self._service = Service(self._run, "dwebsocket-clock")

    def call_later(self, function: Callable[[], None]) -> bool:
        """Call it within some milliseconds; ``False`` if the system has no thread for that."""
        if not self._service.ensure():
            return False
        self._calls.append(function)
        if self._rests:  # either of us sees the other
            with self._wanted:
                self._rests = False
                self._wanted.notify()
        return True

    def _run(self) -> None:
        calls, quiet = self._calls, 0
        while True:
            count = len(calls)  # these have waited for a whole tick when it is over
            quiet = 0 if count else quiet + 1
            if quiet > QUIET_TICKS:
                self._rest()
            time.sleep(self._tick)
            for _ in range(count):
                call(calls.popleft())

    def _rest(self) -> None:
        with self._wanted:
            self._rests = not self._calls
            while self._rests:
                self._wanted.wait()


def call(function: Callable[[], None]) -> None:
    """Call a function; what it raises is nobody else's end."""
    try:
        function()
    except Exception:
        log_failure("What was to be done later failed")


clock = Clock()


def call_later(function: Callable[[], None]) -> bool:
    """Call it within some milliseconds; ``False`` if the system has no thread for that."""
    return clock.call_later(function)


def forget_clock() -> None:
    """Have a clock of one's own in a forked child, which has no thread of its parent's."""
    global clock
    clock = Clock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_clock)
