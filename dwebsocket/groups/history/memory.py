"""What one process remembers by itself."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from itertools import islice

from .positions import Position, create_epoch
from .rules import Rule
from .store import FORGOTTEN, Kept, Log

__all__ = ["MemoryHistory"]

#: Groups that are remembered; beyond it the one that was used least recently is forgotten.
MAX_GROUPS = 100_000

#: Groups that each message looks at, whether they have something that is too old.
SWEPT = 2


class Ring:
    """The newest messages of one group."""

    __slots__ = ("epoch", "forgotten", "kept", "last", "name")

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.epoch = create_epoch()
        self.last = 0
        self.kept: deque[tuple[float, Kept]] = deque()  # with the time when it goes
        self.forgotten = now + FORGOTTEN

    def trim(self, size: int, now: float) -> None:
        """Forget what is too old, or one too many."""
        while self.kept and (len(self.kept) > size or self.kept[0][0] <= now):
            self.kept.popleft()


class MemoryHistory:
    """A ``HistoryStore`` that ends with its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._rings: OrderedDict[str, Ring] = OrderedDict()  # the newest message at the end
        self._turns: deque[Ring] = deque()  # the one that is swept next first

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        now = time.monotonic()
        with self._lock:
            ring = self._find(name, now)
            ring.last += 1
            ring.forgotten = now + FORGOTTEN
            ring.kept.append((now + rule.seconds, Kept(ring.last, data)))
            ring.trim(rule.size, now)
            self._rings.move_to_end(name)
            self._sweep(now)
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
            ring = self._rings[name] = Ring(name, now)
            self._turns.append(ring)
            if len(self._rings) > MAX_GROUPS:
                self._rings.popitem(last=False)
            self._sweep(now)
        return ring

    def _sweep(self, now: float) -> None:
        """Forget what is too old of some groups; all get their turn."""
        for _ in range(min(SWEPT, len(self._turns))):
            ring = self._turns.popleft()
            if self._rings.get(ring.name) is not ring:
                continue
            ring.trim(len(ring.kept), now)
            if ring.kept or ring.forgotten > now:
                self._turns.append(ring)
            else:
                del self._rings[ring.name]
