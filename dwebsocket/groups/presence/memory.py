"""Who is present in the groups of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .store import Snapshot
from .tracked import Changes, Entry

__all__ = ["MemoryPresence"]


class MemoryPresence:
    """A ``PresenceStore`` that ends with its process."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, Entry]] = {}

    def write(self, changes: Changes, everything: Callable[[], Changes]) -> None:
        for (name, key), entry in changes.items():
            group = self._groups.setdefault(name, {})
            if entry is None:
                group.pop(key, None)
            else:
                group[key] = entry
            if not group:
                del self._groups[name]

    def renew(self, everything: Callable[[], Changes]) -> None:
        """There is nobody to tell."""

    def read(self, names: Sequence[str]) -> dict[str, Snapshot]:
        return {name: Snapshot(dict(self._groups.get(name, {}))) for name in names}
