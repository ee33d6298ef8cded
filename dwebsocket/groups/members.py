"""Who of this process is in which group. Knows no socket: a member is anything hashable."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Members"]


class Members:
    """The members of all groups, in the order in which they joined. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant, never across a wait
        self._groups: dict[str, dict[Any, None]] = {}
        self._names: dict[Any, set[str]] = {}

    def add(self, name: str, member: Any) -> None:
        """Put the member into the group."""
        with self._lock:
            self._groups.setdefault(name, {})[member] = None
            self._names.setdefault(member, set()).add(name)

    def discard(self, name: str, member: Any) -> bool:
        """Take the member out of the group; whether that has left the group empty."""
        with self._lock:
            names = self._names.get(member)
            if names is None or name not in names:
                return False
            names.remove(name)
            if not names:
                del self._names[member]
            return self._take_out(name, member)

    def leave(self, member: Any) -> list[str]:
        """Take the member out of all its groups; the names of those that are empty now."""
        if member not in self._names:
            return []
        with self._lock:
            names = self._names.pop(member, ())
            return [name for name in names if self._take_out(name, member)]

    def _take_out(self, name: str, member: Any) -> bool:
        group = self._groups[name]
        del group[member]
        if group:
            return False
        del self._groups[name]
        return True

    def of(self, name: str) -> list[Any]:
        """The members of a group, as they are now."""
        with self._lock:
            return list(self._groups.get(name, ()))

    def has(self, name: str, member: Any) -> bool:
        """Whether the member is in the group."""
        with self._lock:
            return name in self._names.get(member, ())

    def count(self, name: str) -> int:
        """How many members the group has."""
        with self._lock:
            return len(self._groups.get(name, ()))

    def names(self) -> list[str]:
        """The groups that have members."""
        with self._lock:
            return list(self._groups)
