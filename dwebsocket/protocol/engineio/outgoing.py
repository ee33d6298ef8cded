"""The messages for one client: what waits to be sent, and what may have to be sent again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import getsizeof

from .packets import Packet

__all__ = ["PACKET_COST", "Outgoing", "WrongCount"]

#: Bytes counted for each message, besides the memory that it takes itself.
PACKET_COST = 64


class WrongCount(ValueError):
    """A client says that it has got what was not sent to it, or less than it said before."""


class Outgoing:
    """Numbers the messages from 1 on. A carrier ``take``s them; a client that has not got all of
    them ``rewind``s; what it has got is ``trim``med.

    Args:
        keeps: whether what has been taken is kept until it is trimmed; if not it is only counted.

    Attributes:
        taken: how many messages carriers have taken.
        trimmed: how many of these the client has got.
        size: bytes of those that it may not have got.
    """

    __slots__ = ("_keeps", "_kept", "_pending", "size", "taken", "trimmed")

    _kept: list[tuple[Packet | None, int]]  # taken and not trimmed, each with its size
    _pending: list[tuple[Packet, int]]

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self._kept = []
        self._pending = []
        self.taken = self.trimmed = self.size = 0

    def put(self, packet: Packet) -> None:
        """Add a message."""
        size = getsizeof(packet) + PACKET_COST
        self._pending.append((packet, size))
        self.size += size

    @property
    def waits(self) -> bool:
        """Whether there is something to take."""
        return bool(self._pending)

    def take(self, most: int | None = None) -> list[Packet]:
        """All that waits, or so many of it, the oldest first."""
        taken = self._pending[:most]
        del self._pending[: len(taken)]
        self._kept += [(packet if self._keeps else None, size) for packet, size in taken]
        self.taken += len(taken)
        return [packet for packet, _ in taken]

    def trim(self, count: int) -> None:
        """The client has got the first ``count`` messages. An older count changes nothing.

        Raises:
            WrongCount: so many have not been sent.
        """
        if count > self.taken:
            raise WrongCount(f"{count} messages received of {self.taken}")
        new = max(0, count - self.trimmed)
        self.size -= sum(size for _, size in self._kept[:new])
        del self._kept[:new]
        self.trimmed += new

    def rewind(self, count: int) -> None:
        """The client has got the first ``count`` messages: the next ``take`` goes on from there.

        Raises:
            WrongCount: it has not, or has said before that it has got more.
        """
        self.trim(count)
        if count < self.trimmed:
            raise WrongCount(f"{count} messages received, after {self.trimmed}")
        again = [(packet, size) for packet, size in self._kept if packet is not None]
        self._pending[:0] = again
        self._kept.clear()
        self.taken = self.trimmed

    # From one process to another

    def look(self) -> tuple[list[Packet], list[Packet]]:
        """What has been taken and not trimmed, and what waits. Nothing stands for a packet that is
        only counted.
        """
        kept = ["" if packet is None else packet for packet, _ in self._kept]
        return kept, [packet for packet, _ in self._pending]

    def restore(self, trimmed: int, kept: Sequence[Packet], pending: Sequence[Packet]) -> None:
        """Go on from what another one was: see ``look``."""
        self.put_all(kept)
        self.take()
        self.trimmed = trimmed
        self.taken = trimmed + len(kept)
        self.put_all(pending)

    def put_all(self, packets: Iterable[Packet]) -> None:
        """Add messages."""
        for packet in packets:
            self.put(packet)

    @property
    def count(self) -> int:
        """How many have been added."""
        return self.taken + len(self._pending)

    def drop(self) -> None:
        """Throw all away."""
        self._kept.clear()
        self._pending.clear()
        self.size = 0
