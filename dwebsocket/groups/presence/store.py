"""Where all processes keep who is present. One object a process; safe from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from .tracked import Changes, Entry

__all__ = ["Entry", "PresenceStore", "Snapshot", "merge"]


class Snapshot(NamedTuple):
    """Who is present in a group.

    Attributes:
        entries: the newest of each key's text.
        until: seconds after which it may be otherwise though nobody says so, since a process has
            died; ``None``: none has.
    """

    entries: Mapping[str, Entry]
    until: float | None = None


class PresenceStore(Protocol):
    """Keeps what each process tracks, until that process dies, and a little longer."""

    def write(self, changes: Changes, everything: Callable[[], Changes]) -> None:
        """Keep for this process what has changed.

        Args:
            everything: all that this process tracks; to be written where it has been lost.

        Raises:
            GroupUnavailable: nobody knows whether it is kept.
        """
        ...

    def renew(self, everything: Callable[[], Changes]) -> None:
        """This process lives. Called every ``RENEWAL`` seconds while it tracks something.

        Raises:
            GroupUnavailable: nobody knows.
        """
        ...

    def read(self, names: Sequence[str]) -> dict[str, Snapshot]:
        """Who is present in these groups, over all processes.

        Raises:
            GroupUnavailable: nobody can say.
        """
        ...


def merge(entries: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """The newest entry of each key."""
    found: dict[str, Entry] = {}
    for key, entry in entries:
        known = found.get(key)
        if known is None or known.stamp <= entry.stamp:
            found[key] = entry
    return found
