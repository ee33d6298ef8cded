"""What the two halves of a WebSocket ask of each other."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Incoming", "Outgoing"]


class Incoming(Protocol):
    """What a writer asks of the reading half."""

    #: When something was last received, ``time.monotonic()``.
    last_received: float

    def poll_if_due(self) -> None:
        """Take in what has come, unless that was done a moment ago."""

    def check_may_answer(self, now: float) -> None:
        """Raise unless answers to what came before the end may still be sent."""


class Outgoing(Protocol):
    """What a reader asks of the writing half."""

    def reply(self, frames: list[bytes]) -> None: ...
    def close(self, frame: bytes, deadline: float | None) -> None: ...
