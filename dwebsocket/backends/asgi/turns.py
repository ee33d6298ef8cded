"""Fairness between the coroutines of one event loop: one that only sends, and never waits, does not
stop all others; and what comes is received for one that has not asked for it for a while.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["FairTurns", "get_turns"]

#: Seconds between two looks.
TICK = 1.0

#: Seconds for which a coroutine may send and send before others get a turn.
TURN = 0.02


class Reader(Protocol):
    """Receives for a coroutine that may not be asking for what comes."""

    def start_pump(self) -> None:
        """Receive from now on, whether anybody asks or not."""


class FairTurns:
    """What the coroutines of one event loop share. Used in that loop only.

    Attributes:
        not_reading: whose coroutine is not asking for a message now, and since which tick.
        tick: how many looks at these there have been.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.not_reading: dict[Reader, int] = {}
        self.tick = 0
        self._turn_end = 0.0  # the loop's time
        loop.call_later(TICK, self._look, loop)

    def is_turn_over(self, now: float) -> bool:
        """Whether the caller must let others go on before it sends.

        Args:
            now: the loop's time, in seconds.
        """
        # A server whose buffer has room takes what is sent without waiting for anything.
        if now < self._turn_end:
            return False
        self._turn_end = now + TURN
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the pump of those who have not asked for at least one whole tick."""
        loop.call_later(TICK, self._look, loop)  # first: whatever happens here
        self.tick += 1
        for reader, since in list(self.not_reading.items()):
            if since < self.tick - 1:
                del self.not_reading[reader]
                reader.start_pump()


all_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, FairTurns] = WeakKeyDictionary()


def get_turns(loop: asyncio.AbstractEventLoop) -> FairTurns:
    """The turns of this loop, which is running."""
    turns = all_turns.get(loop)
    if turns is None:
        turns = all_turns[loop] = FairTurns(loop)
    return turns
