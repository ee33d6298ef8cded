"""One timer in each event loop looks after all connections that we have taken into it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol
from weakref import WeakKeyDictionary

from dwebsocket.conf import conf
from dwebsocket.supervisor import log_failure

__all__ = ["KeepAlive", "get_keep_alive"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds at most between two looks.
MAX_INTERVAL = 2.0


class Swept(Protocol):
    """An open connection."""

    def sweep(self, now: float, interval: float | None, timeout: float | None) -> str | None: ...


class KeepAlive:
    """The connections of one loop. Used in that loop only."""

    def __init__(self) -> None:
        self._connections: set[Swept] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Swept, loop: asyncio.AbstractEventLoop) -> None:
        """Look after this one, too."""
        self._connections.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(find_interval(), self._look, loop)

    def discard(self, connection: Swept) -> None:
        """Look after it no more."""
        self._connections.discard(connection)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._connections:
            self._timer = loop.call_later(find_interval(), self._look, loop)
        interval, timeout, now = conf.PING_INTERVAL, conf.PING_TIMEOUT, loop.time()
        for connection in list(self._connections):
            try:
                dropped = connection.sweep(now, interval, timeout)
            except Exception:  # the others are looked after
                log_failure("A WebSocket cannot be looked after")
            else:
                if dropped is not None:
                    logger.info("WebSocket dropped: %s", dropped)


def find_interval() -> float:
    """Seconds until the next look."""
    times = (conf.PING_INTERVAL, conf.PING_TIMEOUT)
    least = min((time for time in times if time is not None), default=MAX_INTERVAL)
    return min(MAX_INTERVAL, max(0.05, least / 8))


all_of_them: WeakKeyDictionary[asyncio.AbstractEventLoop, KeepAlive] = WeakKeyDictionary()


def get_keep_alive(loop: asyncio.AbstractEventLoop) -> KeepAlive:
    """That of this loop, which is running."""
    found = all_of_them.get(loop)
    if found is None:
        found = all_of_them[loop] = KeepAlive()
    return found
