"""The end of gunicorn's ``asgi`` worker, which tells applications nothing of it: it waits until all
connections have ended by themselves, and is killed if they do not.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection
from typing import Protocol
from weakref import WeakSet

from dwebsocket.backends.gunicorn_worker import find_stop_signal

__all__ = ["watch_worker"]

WORKER = "gunicorn.workers.gasgi"

#: Seconds between two looks at whether the worker is to end.
INTERVAL = 0.5

#: The loops in which ``look`` is called.
watched: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


class Closable(Protocol):
    """An open WebSocket."""

    def close_nowait(self, code: int, reason: str) -> None:
        """Queue our Close. Never waits, never raises."""


def watch_worker(loop: asyncio.AbstractEventLoop, websockets: Collection[Closable]) -> None:
    """Close these WebSockets when the worker of this process is told to end."""
    if WORKER not in sys.modules or loop in watched:
        return
    get_stop_code = find_stop_signal()
    if get_stop_code is not None:
        watched.add(loop)
        loop.call_later(INTERVAL, look, loop, websockets, get_stop_code)


def look(
    loop: asyncio.AbstractEventLoop,
    websockets: Collection[Closable],
    get_stop_code: Callable[[], int | None],
) -> None:
    """Close the WebSockets if the worker is told to end; look again every ``INTERVAL`` seconds, as
    long as there are any.
    """
    if not websockets:
        watched.discard(loop)
        return
    loop.call_later(INTERVAL, look, loop, websockets, get_stop_code)
    code = get_stop_code()
    if code is not None:
        for websocket in list(websockets):
            websocket.close_nowait(code, "")
