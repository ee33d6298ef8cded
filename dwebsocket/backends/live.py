"""The WebSockets that are open in this process, whatever carries them. Nobody keeps a list of all:
each backend knows its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["find_all", "sources"]

#: What gives those of one backend, from any thread.
sources: list[Callable[[], Iterable[Any]]] = []


def find_all() -> list[Any]:
    """All of them, as they are now; of a session its own, and not what carries it."""
    found = (websocket for source in sources for websocket in source())
    return [websocket for websocket in found if not websocket._carries_session]
