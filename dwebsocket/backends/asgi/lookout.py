"""Finds the coroutines that do not look at what comes for a while: somebody else must, then."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["Lookout", "get_lookout"]

#: Seconds between two looks.
TICK = 1.0


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
        loop.call_later(TICK, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tick += 1
        for watched, since in list(self.busy.items()):
            if since < self.tick - 1:  # for a whole tick at least
                del self.busy[watched]
                watched.start_pump()
        loop.call_later(TICK, self._look, loop)


lookouts: WeakKeyDictionary[asyncio.AbstractEventLoop, Lookout] = WeakKeyDictionary()


def get_lookout(loop: asyncio.AbstractEventLoop) -> Lookout:
    """The lookout of this loop, which is running."""
    lookout = lookouts.get(loop)
    if lookout is None:
        lookout = lookouts[loop] = Lookout(loop)
    return lookout
