"""What is sent to a connection while it goes from one process to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import NamedTuple

from dwebsocket.backends.outbox import FRAME_COST
from dwebsocket.conf import conf

__all__ = ["NOTHING_KNOWN", "Expected", "Held", "HeldFrame", "Known"]

#: Seconds for which a message may be on its way to one process that has come to another one.
EXPECTED = 10.0


class Known:
    """What another process has handed out, to whoever was there. It grows; who came early knows the
    first ones only.

    Args:
        numbers: by ``PreparedMessage.identity``.
        count: those below this are known.
    """

    __slots__ = ("_count", "_numbers")

    def __init__(self, numbers: Mapping[str, int], count: int) -> None:
        self._numbers = numbers
        self._count = count

    def __bool__(self) -> bool:
        return self._count > 0

    def __contains__(self, identity: str | None) -> bool:
        return identity is not None and self._numbers.get(identity, self._count) < self._count


NOTHING_KNOWN = Known({}, 0)


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

    def merge(self, earlier: Iterable[HeldFrame], before: Known) -> tuple[list[bytes], set[str]]:
        """What came to another process, and then what came here and did not come there, now or
        ``before``; and what has come there, and may come here yet.
        """
        earlier = list(earlier)
        known = {one.identity for one in earlier if one.identity is not None}
        held = self.take()
        here = [
            one.frame for one in held if one.identity not in known and one.identity not in before
        ]
        return [one.frame for one in earlier] + here, known.difference(one.identity for one in held)


class Expected:
    """What has been sent to the peer already, and may come once more. Belongs to the holder of the
    writer's lock.
    """

    __slots__ = ("_before", "_identities", "_until")

    def __init__(self, identities: set[str], before: Known) -> None:
        self._identities = identities
        self._before = before
        self._until = monotonic() + EXPECTED

    def take(self, identity: str | None) -> bool:
        """Whether this is one of them."""
        if identity not in self._identities:
            return identity in self._before
        self._identities.discard(identity)
        return True

    @property
    def is_over(self) -> bool:
        """Whether none of them comes any more."""
        return monotonic() > self._until
