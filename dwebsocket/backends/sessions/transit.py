"""What a session does while it goes from one process to another: nothing leaves, and what its
groups send is told from all else, for it comes to both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from dwebsocket.backends.sessions.relay.messages import pack_packets, unpack_packets
from dwebsocket.backends.sockets.holding import Expected, Held, HeldFrame, Known
from dwebsocket.backends.waiters import Waiter, Waiters
from dwebsocket.protocol.engineio import Packet

__all__ = ["IsLeaving", "Transit", "pack", "unpack"]


class IsLeaving(Exception):
    """The session is about to go to another process: see ``Session.when_settled``."""


def pack(packets: Iterable[Packet]) -> bytes:
    """Packets as bytes; text may hold half a surrogate pair."""
    return json.dumps(pack_packets(packets)).encode()


def unpack(data: bytes) -> list[Packet]:
    """What ``pack`` was given.

    Raises:
        ValueError: it is none of these.
    """
    return unpack_packets(json.loads(data)) if data else []


class Transit:
    """Of one session, and under its lock.

    Attributes:
        is_held: nothing leaves.
        is_leaving: it is this process's still, and about to be another one's.
        is_too_much: more came meanwhile than may wait.
    """

    __slots__ = ("_expected", "_held", "_waiters", "is_leaving")

    def __init__(self) -> None:
        self._held: Held | None = None
        self._expected: Expected | None = None
        self._waiters: Waiters | None = None
        self.is_leaving = False

    @property
    def is_held(self) -> bool:
        return self._held is not None

    @property
    def is_too_much(self) -> bool:
        return self._held is not None and self._held.is_too_much

    def hold(self) -> None:
        """Let nothing leave from now on."""
        self._held = Held()

    def leave(self) -> None:
        """The same; whoever comes waits for the end of it."""
        self.hold()
        self._waiters = Waiters()
        self.is_leaving = True

    def check(self) -> None:
        """See to it that one may come.

        Raises:
            IsLeaving: one has to wait.
        """
        if self.is_leaving:
            raise IsLeaving

    def add_waiter(self, waiter: Waiter) -> bool:
        """Have this called when it has left, or stays; ``False``: it has, or does."""
        if not self.is_leaving or self._waiters is None:
            return False
        self._waiters.add(waiter)
        return True

    def settle(self) -> Waiters:
        """It has left, or stays: those who wait are to be woken, without the lock."""
        waiters, self._waiters = self._waiters or Waiters(), None
        self.is_leaving = False
        return waiters

    # What groups send

    def keep(self, identity: str | None, packets: Sequence[Packet]) -> bool:
        """Keep what a group sends, or drop it, if it came to another process before; whether that
        was done.
        """
        if self._held is not None:
            self._held.put(identity, pack(packets))
            return True
        if self._expected is None:
            return False
        has_come = self._expected.take(identity)
        if self._expected.is_over:
            self._expected = None
        return has_come

    def take_held(self) -> list[HeldFrame]:
        """Take out what groups have sent."""
        return [] if self._held is None else self._held.take()

    def release(self, earlier: Iterable[HeldFrame], before: Known) -> list[Packet]:
        """Let all leave again; what groups have sent, first to the other process.

        Args:
            earlier: what came there.
            before: what the client had from there before that.
        """
        held, self._held = self._held, None
        if held is None:
            return []
        frames, expected = held.merge(earlier, before)
        self._expected = Expected(expected, before) if expected or before else None
        return [packet for frame in frames for packet in unpack(frame)]
