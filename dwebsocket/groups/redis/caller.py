"""How what groups keep in Redis is asked for: as messages are sent, so that a Redis that is away or
hangs holds nobody for long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

__all__ = ["Caller", "Purpose"]

Result = TypeVar("Result")


class Purpose(NamedTuple):
    """What something is asked for.

    Attributes:
        failing: what Redis has not done when it fails.
        feature: which groups need it.
        rights: the commands that a user of Redis must be allowed for that.
    """

    failing: str
    feature: str
    rights: str


class Caller(Protocol):
    """Who knows where a key lives, and whether Redis is away."""

    def call(
        self, key: str, function: Callable[[], Result], purpose: Purpose, name: str | None = None
    ) -> Result:
        """What this function, which asks Redis, returns.

        Args:
            key: lives on the node that is asked, or is a channel there.
            name: of the group, if there is one.

        Raises:
            GroupUnavailable: Redis did not answer, or has refused.
        """
        ...

    def count(self, published: int = 0, unavailable: int = 0) -> None:
        """Count messages."""
