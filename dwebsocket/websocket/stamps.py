"""When a WebSocket was accepted, as a number that no other one of this process has."""

from __future__ import annotations

import os
import threading
from time import monotonic_ns

__all__ = ["seconds_since", "take_stamp"]


class Clock:
    """Gives each time once.

    Attributes:
        lock: held for an instant.
        last: what was given last, in microseconds.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last = 0


clock = Clock()


def take_stamp() -> int:
    """The time in microseconds, later than what anybody has got before."""
    with clock.lock:
        clock.last = max(clock.last + 1, monotonic_ns() // 1000)
        return clock.last


def seconds_since(stamp: int) -> float:
    """How long ago that was."""
    return (monotonic_ns() // 1000 - stamp) / 1e6


def forget_lock() -> None:
    """Make a new lock in a forked child, whose parent may have held it."""
    clock.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)
