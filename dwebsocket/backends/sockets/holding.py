"""What is sent to a connection while it goes from one process to another."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import NamedTuple

from dwebsocket.backends.outbox import FRAME_COST
from dwebsocket.conf import conf

__all__ = ["Expected", "Held", "HeldFrame"]

#: Seconds for which a message may be on its way to one process that has come to another one.
EXPECTED = 30.0


class HeldFrame(NamedTuple):
    """A group's message.

    Attributes:
        identity: what no other message has; ``None``: nobody can tell it from others.
    """

    identity: str | None
    frame: bytes


class Held:
    """The messages of groups, in the order in which they came. Belongs to the holder of the
    writer's lock.

    Attributes:
        is_too_much: whether more came than may wait for a slow reader.
    """

    __slots__ = ("_frames", "_size", "is_too_much")

    def __init__(self) -> None:
        self._frames: list[HeldFrame] = []
        self._size = 0
        self.is_too_much = False

    def put(self, identity: str | None, frame: bytes) -> None:
        """Keep one, if there is room."""
        if self._size > conf.MAX_SEND_BUFFER:
            self.is_too_much = True
            return
        self._frames.append(HeldFrame(identity, frame))
        self._size += len(frame) + FRAME_COST

    def take(self) -> list[HeldFrame]:
        """Take them out."""
        frames, self._frames, self._size = self._frames, [], 0
        return frames

    def merge(self, earlier: Iterable[HeldFrame]) -> tuple[list[bytes], set[str]]:
        """What came to another process, and then what came here and did not come there; and what
        has come there, and may come here yet.
        """
        earlier = list(earlier)
        known = {one.identity for one in earlier if one.identity is not None}
        held = self.take()
        here = [one.frame for one in held if one.identity not in known]
        return [one.frame for one in earlier] + here, known.difference(one.identity for one in held)


class Expected:
    """What has been sent to the peer already, and may come once more. Belongs to the holder of the
    writer's lock.
    """

    __slots__ = ("_identities", "_until")

    def __init__(self, identities: set[str]) -> None:
        self._identities = identities
        self._until = monotonic() + EXPECTED

    def take(self, identity: str | None) -> bool:
        """Whether this is one of them."""
        if identity not in self._identities:
            return False
        self._identities.discard(identity)
        return True

    @property
    def is_over(self) -> bool:
        """Whether none of them comes any more."""
        return not self._identities or monotonic() > self._until
