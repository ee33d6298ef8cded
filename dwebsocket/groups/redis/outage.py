"""Redis goes away and comes back: one line in the log for each."""

from __future__ import annotations

import logging
from time import monotonic

from .client import ERRORS, explain

__all__ = ["Outage"]

logger = logging.getLogger("dwebsocket.groups")


class Outage:
    """Belongs to whoever keeps up one connection.

    Attributes:
        shown: where Redis is, for messages: without a password.
        lasts: whether Redis is away.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lasts = False
        self._since = 0.0

    def begin(self, error: BaseException) -> None:
        """It cannot be reached; said once, until ``end``."""
        if self.lasts:
            return
        self.lasts, self._since = True, monotonic()
        logger.warning(
            "Redis at %s cannot be reached: %s. Until it is back groups reach only the members "
            "in the sender's process",
            self.shown,
            explain(error),
            exc_info=None if isinstance(error, ERRORS) else error,
        )

    def end(self, how: str = "is back") -> None:
        """Everything goes again."""
        if self.lasts:
            self.lasts = False
            logger.info(
                "Redis at %s %s after %.1f seconds: groups reach all processes again",
                self.shown,
                how,
                monotonic() - self._since,
            )
