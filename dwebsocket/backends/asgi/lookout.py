"""Sees to it that a coroutine which only sends, and never waits, does not stop all others; and
finds those that do not look at what comes for a while: somebody else must, then.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["Lookout", "get_lookout"]

#: Seconds between two looks.
TICK = 1.0

#: Seconds for which a coroutine may send and send before others get a turn.
TURN = 0.02


class Watched(Protocol):
    """A WebSocket whose coroutine may not be looking at what comes."""

    def start_pump(self) -> None: ...


class Lookout:
    """Finds such WebSockets in one event loop, and is used in that loop only.

    Attributes:
        busy: who is not looking now, and since which tick.
        tick: how many looks there have been.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.busy: dict[Watched, int] = {}
        self.tick = 0
        self._turn = 0.0  # when the present one is over
        loop.call_later(TICK, self._look, loop)

    def is_turn_over(self, now: float) -> bool:
        """Whether the caller must let others go on now; ``now`` is the loop's time. A server whose
        buffer has room takes what is sent without waiting for anything.
        """
        if now < self._turn:
            return False
        self._turn = now + TURN
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(TICK, self._look, loop)  # first: whatever happens here
        self.tick += 1
        for watched, since in list(self.busy.items()):
            if since < self.tick - 1:  # for a whole tick at least
                del self.busy[watched]
                watched.start_pump()


lookouts: WeakKeyDictionary[asyncio.AbstractEventLoop, Lookout] = WeakKeyDictionary()


def get_lookout(loop: asyncio.AbstractEventLoop) -> Lookout:
    """The lookout of this loop, which is running."""
    lookout = lookouts.get(loop)
    if lookout is None:
        lookout = lookouts[loop] = Lookout(loop)
    return lookout
