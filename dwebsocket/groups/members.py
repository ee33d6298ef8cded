"""Who of this process is in which group. Knows no socket."""

from __future__ import annotations

import threading
from typing import Protocol

from dwebsocket.protocol.prepared import PreparedMessage

__all__ = ["Member", "Members"]


class Member(Protocol):
    """What a group knows of a WebSocket. Hashable, and compares by identity."""

    @property
    def accepted(self) -> bool:
        """Whether the 101 has been sent."""
        ...

    @property
    def _has_ended(self) -> bool:
        """Whether it has left its groups, and may not join one any more."""
        ...

    def send_nowait(self, message: PreparedMessage) -> None:
        """Send a message. Never waits, never raises."""
        ...

    def close_nowait(self, code: int, reason: str) -> None:
        """Begin the closing handshake behind what ``send_nowait`` has sent. Never waits, never
        raises.
        """
        ...


class Members:
    """The members of all groups, in the order in which they joined. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant, never across a wait
        # With each member whether it is told positions.
        self._groups: dict[str, dict[Member, bool]] = {}
        self._names: dict[Member, set[str]] = {}

    def add(self, name: str, member: Member, *, positions: bool = False) -> None:
        """Put the member into the group.

        Args:
            positions: whether it is told the position of each message.
        """
        with self._lock:
            self._groups.setdefault(name, {})[member] = positions
            self._names.setdefault(member, set()).add(name)

    def discard(self, name: str, member: Member) -> bool:
        """Take the member out of the group; whether that has left the group empty."""
        with self._lock:
            names = self._names.get(member)
            if names is None or name not in names:
                return False
            names.remove(name)
            if not names:
                del self._names[member]
            return self._take_out(name, member)

    def leave(self, member: Member) -> list[str]:
        """Take the member out of all its groups; the names of those that are empty now."""
        if member not in self._names:
            return []
        with self._lock:
            names = self._names.pop(member, ())
            return [name for name in names if self._take_out(name, member)]

    def _take_out(self, name: str, member: Member) -> bool:
        group = self._groups[name]
        del group[member]
        if group:
            return False
        del self._groups[name]
        return True

    def of(self, name: str) -> list[Member]:
        """The members of a group, as they are now."""
        with self._lock:
            return list(self._groups.get(name, ()))

    def with_wishes(self, name: str) -> list[tuple[Member, bool]]:
        """The same, and whether each is told positions."""
        with self._lock:
            return list(self._groups.get(name, {}).items())

    def has(self, name: str, member: Member) -> bool:
        """Whether the member is in the group."""
        with self._lock:
            return name in self._names.get(member, ())

    def groups_of(self, member: Member) -> list[str]:
        """The groups in which the member is."""
        with self._lock:
            return sorted(self._names.get(member, ()))

    def count(self, name: str) -> int:
        """How many members the group has."""
        with self._lock:
            return len(self._groups.get(name, ()))

    def names(self) -> list[str]:
        """The groups that have members."""
        with self._lock:
            return list(self._groups)
