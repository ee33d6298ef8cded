"""How many connections go together: the clients of these wait for each other."""

from __future__ import annotations

__all__ = ["Pace"]

#: Of the first batch, and at least and at most of any.
FIRST, LEAST, MOST = 20, 10, 200

#: Seconds that a batch should take, of a machine that may be busy.
WANTED = 0.04


class Pace:
    """Learns from how long others took.

    Attributes:
        size: of the next batch.
    """

    def __init__(self) -> None:
        self.size = FIRST

    def note(self, count: int, seconds: float) -> None:
        """So many took so long."""
        if count < self.size:
            return  # the last ones, which say little of many
        fitting = int(count * WANTED / max(seconds, 0.001))
        # Not by one that was slow for another reason, nor too fast.
        self.size = max(LEAST, self.size // 2, min(fitting, self.size * 2, MOST))
