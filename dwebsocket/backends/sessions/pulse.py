"""The heartbeat of a session: pings from here, pongs from the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dwebsocket.conf import conf

__all__ = ["Pulse"]

#: Seconds, where the settings say that nobody is pinged: Engine.IO's clients expect it.
INTERVAL, TIMEOUT = 25.0, 20.0


#: Seconds by which a ping may be late, at the cost of the time to answer it.
LATE = 0.1

FOREVER = float("inf")


class Pulse:
    """Whether a ping is due, or has not been answered.

    Attributes:
        interval: seconds between two pings.
        timeout: seconds that a client has to answer.
        is_asking: whether a ping has not been answered yet.
    """

    __slots__ = ("_asked", "_due", "_mark", "interval", "is_asking", "timeout")

    def __init__(self) -> None:
        self.interval = conf.PING_INTERVAL or INTERVAL
        self.timeout = conf.PING_TIMEOUT or TIMEOUT
        self.stop()

    def describe(self) -> dict[str, int]:
        """What the client is told of it, in milliseconds."""
        return {
            "pingInterval": round(self.interval * 1000),
            "pingTimeout": round(self.timeout * 1000),
        }

    def begin(self, now: float) -> None:
        """A carrier is there."""
        self.stop()
        self._due = now + self.interval

    def stop(self) -> None:
        """None is: nobody is asked."""
        self.is_asking = False
        self._due = self._asked = FOREVER
        self._mark = 0

    # From one process to another of the machine, which have one clock

    def pack(self) -> dict[str, Any]:
        """What ``unpack`` needs."""
        return {
            "interval": self.interval,
            "timeout": self.timeout,
            "due": None if self._due == FOREVER else self._due,
            "mark": self._mark if self.is_asking else None,
        }

    def unpack(self, values: Mapping[str, Any], now: float) -> None:
        """Go on with what another process has packed. A client that is asked has all of its time
        again: the way here was not its own.
        """
        self.interval, self.timeout = float(values["interval"]), float(values["timeout"])
        self._due = FOREVER if values["due"] is None else float(values["due"])
        self.is_asking = values["mark"] is not None
        if self.is_asking:
            self._asked, self._mark = now, int(values["mark"])

    def ask(self, now: float, mark: int) -> None:
        """A ping is sent, behind ``mark`` messages."""
        self.is_asking = True
        self._asked, self._mark = max(min(now, self._due), now - LATE), mark
        self._due = now + self.interval

    def answer(self) -> int | None:
        """A pong has come; how many messages its ping was behind, ``None``: there was none."""
        if not self.is_asking:
            return None
        self.is_asking = False
        return self._mark

    def is_due(self, now: float) -> bool:
        """Whether it is time for a ping."""
        return now >= self._due and not self.is_asking

    def is_silent(self, now: float) -> bool:
        """Whether a ping has not been answered in time."""
        return self.is_asking and now >= self._asked + self.timeout
