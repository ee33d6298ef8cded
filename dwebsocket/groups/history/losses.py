"""What is lost for good is told the log: one line for all groups that lose at a time."""

from __future__ import annotations

import logging
import threading
import time

__all__ = ["Losses"]

logger = logging.getLogger("dwebsocket.groups")

#: Seconds in which others join the first group, and between two lines.
GATHERING, INTERVAL = 1.0, 10.0

MESSAGE = (
    "Messages of the group %r%s are lost: the history does not have them any more. Its members in "
    "this process are told, if they asked for positions"
)


class Losses:
    """Of all groups; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._names: dict[str, None] = {}
        self._since = 0.0  # when the first of them was noted
        self._told = float("-inf")  # when the last line was written

    def __bool__(self) -> bool:
        """Whether there are some that were not told."""
        return bool(self._names)

    def note(self, name: str) -> None:
        """This group has lost some."""
        with self._lock:
            if not self._names:
                self._since = time.monotonic()
            self._names[name] = None

    def tell(self) -> None:
        """Say so, when it is time."""
        now = time.monotonic()
        with self._lock:
            if not self._names or now < max(self._since + GATHERING, self._told + INTERVAL):
                return
            names, self._names = list(self._names), {}
            self._told = now
        others = f" and of {len(names) - 1} others" if len(names) > 1 else ""
        logger.warning(MESSAGE, names[0], others)
