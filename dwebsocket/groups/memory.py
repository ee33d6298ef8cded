"""The default: groups of one process."""

from __future__ import annotations

from .base import BaseGroupBackend, Envelope

__all__ = ["MemoryGroupBackend"]


class MemoryGroupBackend(BaseGroupBackend):
    """There is nobody else to carry a message to."""

    shared = False

    def publish(self, name: str, content: Envelope) -> None:
        """The members of this process have it already."""
