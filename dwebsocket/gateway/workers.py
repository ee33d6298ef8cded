"""The processes with handlers, as the front sees them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dwebsocket.backends.gateway.link import BEAT_INTERVAL, find_namespace

__all__ = ["Worker", "choose"]

#: Heartbeats that may be missing: of a process that cannot be seen, and of one that is seen to be
#: alive, and may be short of the processor.
MISSED, MISSED_ALIVE = 3, 15


class Worker:
    """One process.

    Attributes:
        connections: the ids of its connections.
        greeting: which one it is that it has said; with a new one it has no connections any more.
        is_leaving: it takes no further ones.
        name: its name on the ZeroMQ sockets.
        pid: the number that it says it has.
    """

    def __init__(self, name: bytes, hello: dict[str, Any], now: float) -> None:
        self.name = name
        self.pid = int(hello["pid"])
        self.greeting = int(hello["greeting"])
        capacity = hello.get("capacity")
        self._capacity = None if capacity is None else int(capacity)
        # Numbers of another container are not ours.
        is_visible = hello.get("namespace") == find_namespace() != ""
        self._is_visible = is_visible and is_running(self.pid)
        self.connections: set[bytes] = set()
        self.is_leaving = False
        self._heard = now

    def hear(self, now: float) -> None:
        """Something has come from it."""
        self._heard = now

    @property
    def has_room(self) -> bool:
        """Whether it takes one more."""
        full = self._capacity is not None and len(self.connections) >= self._capacity
        return not (full or self.is_leaving)

    def is_dead(self, now: float) -> bool:
        """Whether it has ended, or says nothing any more."""
        if self._is_visible and not is_running(self.pid):
            return True
        missed = MISSED_ALIVE if self._is_visible else MISSED
        return now - self._heard > missed * BEAT_INTERVAL


def choose(workers: Iterable[Worker]) -> Worker | None:
    """The one with the fewest connections of those that have room."""
    free = [worker for worker in workers if worker.has_room]
    return min(free, key=lambda worker: len(worker.connections), default=None)


def is_running(pid: int) -> bool:
    """Whether there is such a process, as far as we may know. A zombie is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123  # asked often
            return stat.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return False
