"""Groups of one process: what tests have, and what there is without Unix sockets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .base import BaseGroupBackend, Envelope
from .history import Keeper, MemoryHistory, Position
from .members import Members
from .numbers import Numberer
from .presence import MemoryPresence, Presence
from .serving import serves
from .workers import OTHERS, SEVERAL_WORKERS, count_workers

__all__ = ["MemoryGroupBackend"]

logger = logging.getLogger("dwebsocket.groups")


ALONE = (
    "What is sent to the group %r reaches nobody: this process serves no WebSockets, and "
    f"MemoryGroupBackend reaches members in the sender's own process only. {OTHERS}, here and "
    "where they are served. (Said once in a process.)"
)
NOBODY = (
    "MemoryGroupBackend reaches the members in the sender's own process only, and this one has "
    f"none. {OTHERS}, here and where they are served."
)


class MemoryGroupBackend(BaseGroupBackend):
    """Carries nothing: the members of this process are all there are."""

    shared = False
    history: Keeper
    presence: Presence
    _may_be_alone = True  # no member has been here, and nobody has looked whether one may come

    def __init__(self, members: Members, location: Any, options: Mapping[str, Any]) -> None:
        super().__init__(members, location, options)
        self._has_looked = False
        self.history = Keeper(members, MemoryHistory(), Numberer(), self._carry)
        self.presence = self._create_presence(MemoryPresence())

    def _carry(self, name: str, position: Position, data: bytes) -> None:
        self.history.feeds.receive(name, position, data)

    def unsubscribe(self, name: str) -> None:
        self.history.feeds.drop(name)

    def settle(self, timeout: float) -> None:
        """Nothing comes from others."""

    def subscribe(self, name: str) -> None:
        """Say once if there are other processes: the system check may not have seen them."""
        if self._has_looked:
            return
        self._may_be_alone = False
        self._has_looked = True
        found = count_workers()
        if found is not None:
            logger.warning(f"{SEVERAL_WORKERS} (dwebsocket.W002)", *found)

    def explain_silence(self) -> str | None:
        return NOBODY

    def publish(self, name: str, content: Envelope) -> None:
        """The members of this process have it already; say once if there can be none."""
        if not self._may_be_alone:
            return
        self._may_be_alone = False
        if not serves():
            logger.warning(ALONE, name)

    def _announce(self, name: str) -> None:
        """There is nobody else."""

    def close(self) -> None:
        self.presence.close()
        self.history.close()

    def abandon(self) -> None:
        self.presence.abandon()
        self.history.close()
