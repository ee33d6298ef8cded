"""How many connections go together: the clients of these wait for each other."""

from __future__ import annotations

__all__ = ["Pace"]

#: Of the first batch, and at least and at most of any.
FIRST, LEAST, MOST = 20, 10, 200

#: Seconds that a batch should take, of a machine that may be busy.
WANTED = 0.04

#: The part of the time that is left in which all are to go.
SHARE = 0.5


class Pace:
    """Learns from how long others took."""

    def __init__(self) -> None:
        self._size = FIRST
        self._seconds = 0.0  # that the last batch took

    def choose(self, left: int, seconds: float) -> int:
        """How many are next, where so many are to go in so many seconds."""
        batches = seconds * SHARE / self._seconds if self._seconds else left
        return min(MOST, max(self._size, int(left / max(1.0, batches))))

    def note(self, count: int, seconds: float) -> None:
        """So many took so long."""
        if count < self._size:
            return  # the last ones, which say little of many
        self._seconds = max(seconds, 0.001)
        fitting = int(count * WANTED / self._seconds)
        # Not by one that was slow for another reason, nor too fast.
        self._size = max(LEAST, self._size // 2, min(fitting, self._size * 2, MOST))
