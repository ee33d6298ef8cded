"""Waiting for many descriptors at once: ``epoll``, or what ``selectors`` offers where there is
none. Descriptors may be added and removed by other threads meanwhile.
"""

from __future__ import annotations

import selectors
from typing import Any

from . import poll

__all__ = ["IN", "OUT", "SelectorPoller", "create_poller"]

IN, OUT = poll.IN, poll.OUT

#: Seconds after which a selector that does not notice changes by itself looks at them.
INTERVAL = 0.05

ASKED = {IN: 1, OUT: 2, IN | OUT: 3}
FOUND = {1: IN, 2: OUT, 3: IN | OUT}


class SelectorPoller:
    """The methods of ``select.epoll`` that we use, over any selector."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        notices = type(selector).__name__ in ("KqueueSelector", "DevpollSelector")
        self._timeout = None if notices else INTERVAL

    def register(self, fd: int, events: int) -> None:
        self._selector.register(fd, ASKED[events])

    def modify(self, fd: int, events: int) -> None:
        self._selector.modify(fd, ASKED[events])

    def unregister(self, fd: int) -> None:
        self._selector.unregister(fd)

    def poll(self) -> list[tuple[int, int]]:
        try:
            ready = self._selector.select(self._timeout)
        except OSError:  # select: a descriptor that is removed just now has been closed
            return []
        # No events: they are being changed just now; what has happened is reported again.
        return [(key.fd, FOUND[events]) for key, events in ready if events]

    def close(self) -> None:
        self._selector.close()


def create_poller() -> Any:
    """The best poller that this platform has."""
    epoll = poll.unpatched("epoll")
    return epoll() if epoll is not None else SelectorPoller(selectors.DefaultSelector())
