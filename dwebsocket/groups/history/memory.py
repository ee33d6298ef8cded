"""What one process remembers by itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import islice

from .positions import Position, create_epoch
from .rules import Rule
from .store import Kept, Log

__all__ = ["MemoryHistory"]

#: Seconds without a message after which a group is forgotten, and begins anew.
FORGOTTEN = 7 * 86_400

#: Groups after which those that are to be forgotten are looked for.
MANY = 10_000


class Ring:
    """The newest messages of one group."""

    __slots__ = ("epoch", "kept", "last", "touched")

    def __init__(self) -> None:
        self.epoch = create_epoch()
        self.last = 0
        self.kept: deque[tuple[float, Kept]] = deque()  # with the time when it goes
        self.touched = time.monotonic()

    def trim(self, size: int, now: float) -> None:
        """Forget what is too old, or one too many."""
        while self.kept and (len(self.kept) > size or self.kept[0][0] <= now):
            self.kept.popleft()


class MemoryHistory:
    """A ``HistoryStore`` that ends with its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._rings: dict[str, Ring] = {}
        self._limit = MANY

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        now = time.monotonic()
        with self._lock:
            ring = self._find(name, now)
            ring.last += 1
            ring.touched = now
            ring.kept.append((now + rule.seconds, Kept(ring.last, data)))
            ring.trim(rule.size, now)
            return Position(ring.epoch, ring.last)

    def read(self, name: str, after: int | None, limit: int | None) -> Log:
        now = time.monotonic()
        with self._lock:
            ring = self._find(name, now)
            ring.trim(len(ring.kept), now)
            begin = 0
            if after is None:
                begin = 0 if limit is None else max(0, len(ring.kept) - limit)
            elif ring.kept:
                begin = max(0, after + 1 - ring.kept[0][1].offset)
            end = None if limit is None else begin + limit
            kept = [one for _, one in islice(ring.kept, begin, end)]
            return Log(Position(ring.epoch, ring.last), kept)

    def renew(self, name: str, epoch: str) -> None:
        with self._lock:
            if self._find(name, time.monotonic()).epoch == epoch:
                del self._rings[name]

    def _find(self, name: str, now: float) -> Ring:
        ring = self._rings.get(name)
        if ring is None:
            if len(self._rings) >= self._limit:
                self._forget(now)
            ring = self._rings[name] = Ring()
        return ring

    def _forget(self, now: float) -> None:
        for name, ring in list(self._rings.items()):
            ring.trim(len(ring.kept), now)
            if not ring.kept and ring.touched < now - FORGOTTEN:
                del self._rings[name]
        self._limit = max(MANY, 2 * len(self._rings))
