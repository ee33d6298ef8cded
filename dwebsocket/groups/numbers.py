"""Numbers on what is sent, so that a receiver can tell how much it has missed."""

from __future__ import annotations

import os
import threading

__all__ = ["Numberer", "Tally"]

#: Groups whose messages are numbered at a time; beyond, the numbering begins anew.
MAX_GROUPS = 10_000

#: Senders that are remembered for one group.
MAX_ORIGINS = 256


class Numberer:
    """Numbers what this process sends to each group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._origins: set[bytes] = set()
        self._begin()

    def _begin(self) -> None:
        self._origin = os.urandom(8)
        self._origins.add(self._origin)
        self._numbers: dict[str, int] = {}

    def next(self, name: str) -> tuple[bytes, int]:
        """Origin and number of the next message to a group."""
        with self._lock:
            if len(self._numbers) >= MAX_GROUPS and name not in self._numbers:
                self._begin()
            number = self._numbers[name] = self._numbers.get(name, 0) + 1
            return self._origin, number

    def is_ours(self, origin: bytes) -> bool:
        """Whether this process has sent it."""
        return origin in self._origins


class Stream:
    """What has come from one sender to one group. It may come a little out of order: the threads of
    a sender overtake each other.
    """

    __slots__ = ("count", "first", "highest")

    def __init__(self, number: int) -> None:
        self.first = self.highest = number
        self.count = 1

    @property
    def lost(self) -> int:
        """How many there must have been besides."""
        return self.highest - self.first + 1 - self.count


class Tally:
    """Counts what has been received and what has been missed. Belongs to one listener."""

    def __init__(self) -> None:
        self.received = 0
        self._lost = 0  # of streams that are over
        self._streams: dict[str, dict[bytes, Stream]] = {}

    def note(self, name: str, origin: bytes, number: int) -> None:
        """This one has come."""
        self.received += 1
        streams = self._streams.setdefault(name, {})
        stream = streams.get(origin)
        if stream is None:
            if len(streams) >= MAX_ORIGINS:
                self._lost += streams.pop(next(iter(streams))).lost
            streams[origin] = Stream(number)
            return
        stream.count += 1
        stream.first = min(stream.first, number)
        stream.highest = max(stream.highest, number)

    def forget(self, name: str) -> None:
        """Nobody here is in this group any more: what comes meanwhile is not missed."""
        for stream in self._streams.pop(name, {}).values():
            self._lost += stream.lost

    @property
    def lost(self) -> int:
        """How many messages were missed."""
        groups = list(self._streams.values())  # copies: the listener goes on meanwhile
        streams = [stream for group in groups for stream in list(group.values())]
        return self._lost + sum(stream.lost for stream in streams)
