"""The default: groups of one process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .base import BaseGroupBackend, Envelope
from .members import Members
from .workers import SEVERAL_WORKERS, count_workers

__all__ = ["MemoryGroupBackend"]

logger = logging.getLogger("dwebsocket.groups")


class MemoryGroupBackend(BaseGroupBackend):
    """Carries nothing: the members of this process are all there are."""

    shared = False

    def __init__(self, members: Members, location: Any, options: Mapping[str, Any]) -> None:
        super().__init__(members, location, options)
        self._has_looked = False

    def subscribe(self, name: str) -> None:
        """Say once if there are other processes: the system check may not have seen them."""
        if self._has_looked:
            return
        self._has_looked = True
        found = count_workers()
        if found is not None:
            logger.warning(f"{SEVERAL_WORKERS} (dwebsocket.W002)", *found)

    def publish(self, name: str, content: Envelope) -> None:
        """The members of this process have it already."""
