"""Redis goes away and comes back: one line in the log for each."""

from __future__ import annotations

import logging
import threading
from time import monotonic

from .client import ERRORS, explain

__all__ = ["Outage"]

logger = logging.getLogger("dwebsocket.groups")


class Outage:
    """Of one Redis, or of one node: it begins when the first of those who use it cannot reach it,
    and is over when all can.

    Attributes:
        shown: where Redis is, for messages: without a password.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self._lock = threading.Lock()
        self._users: set[object] = set()  # that cannot reach it
        self._since = 0.0

    @property
    def lasts(self) -> bool:
        """Whether Redis is away for one of them."""
        return bool(self._users)

    def begin(self, user: object, error: BaseException) -> None:
        """This user cannot reach it; said once, until ``end``."""
        with self._lock:
            was_away = self.lasts
            self._users.add(user)
            if was_away:
                return
            self._since = monotonic()
        logger.warning(
            "Redis at %s cannot be reached: %s. Until it is back groups reach only the members "
            "in the sender's process",
            self.shown,
            explain(error),
            exc_info=None if isinstance(error, ERRORS) else error,
        )

    def end(self, user: object, how: str = "is back") -> None:
        """Everything goes again, for this user."""
        with self._lock:
            if user not in self._users:
                return
            self._users.discard(user)
            if self.lasts:
                return
        logger.info(
            "Redis at %s %s after %.1f seconds: groups reach all processes again",
            self.shown,
            how,
            monotonic() - self._since,
        )
