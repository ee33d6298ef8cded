"""Whom this process tracks: under each key the WebSockets, and when the last one has gone, the time
until which the key stays.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from dwebsocket.groups.members import Member

__all__ = ["Changes", "Entry", "Tracked"]


class Entry(NamedTuple):
    """What is kept of a key.

    Attributes:
        info: its text.
        stamp: when it was told, ``time.time()``.
    """

    info: str
    stamp: float


#: By group and key's text what is to be kept, ``None``: nothing any more.
Changes = dict[tuple[str, str], Entry | None]


class Person:
    """Who is present under a key.

    Attributes:
        tabs: the WebSockets, the newest last.
        entry: that of the newest, or of the last that was there.
    """

    __slots__ = ("entry", "tabs")

    def __init__(self, entry: Entry) -> None:
        self.tabs: dict[Member, Entry] = {}
        self.entry = entry


class Tracked:
    """Those of all groups, and what of them the store has not been told. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._groups: dict[str, dict[str, Person]] = {}
        self._keys: dict[Member, dict[str, str]] = {}
        self._leaving: dict[tuple[str, str], float] = {}  # until when, time.monotonic()
        self._changes: Changes = {}

    def track(self, name: str, key: str, member: Member, info: str, grace: float) -> None:
        """The member is present under this key, and no other one of the group."""
        with self._lock:
            keys = self._keys.setdefault(member, {})
            before = keys.get(name)
            if before is not None and before != key:
                self._take_out(name, before, member, grace)
            keys[name] = key
            entry = Entry(info, time.time())
            person = self._groups.setdefault(name, {}).setdefault(key, Person(entry))
            person.tabs.pop(member, None)
            person.tabs[member] = person.entry = entry
            self._leaving.pop((name, key), None)
            self._changes[name, key] = entry

    def untrack(self, name: str, member: Member, grace: float) -> bool:
        """The member is not present any more; whether it was."""
        with self._lock:
            keys = self._keys.get(member, {})
            key = keys.pop(name, None)
            if key is None:
                return False
            if not keys:
                del self._keys[member]
            self._take_out(name, key, member, grace)
            return True

    def leave(self, member: Member, grace: float) -> bool:
        """The member is present nowhere any more; whether it was somewhere."""
        if member not in self._keys:
            return False
        with self._lock:
            for name, key in self._keys.pop(member, {}).items():
                self._take_out(name, key, member, grace)
        return True

    def _take_out(self, name: str, key: str, member: Member, grace: float) -> None:
        person = self._groups[name][key]
        del person.tabs[member]
        if not person.tabs:
            self._leaving[name, key] = time.monotonic() + grace
            return
        newest = next(reversed(person.tabs.values()))
        if newest != person.entry:
            person.entry = self._changes[name, key] = newest

    def end_graces(self, now: float) -> None:
        """Forget those whose time is over."""
        with self._lock:
            for name, key in [one for one, until in self._leaving.items() if until <= now]:
                del self._leaving[name, key]
                group = self._groups[name]
                del group[key]
                if not group:
                    del self._groups[name]
                self._changes[name, key] = None

    @property
    def next_end(self) -> float | None:
        """When the next one's time is over, ``time.monotonic()``."""
        with self._lock:
            return min(self._leaving.values(), default=None)

    def has(self, name: str, member: Member) -> bool:
        """Whether the member is tracked in this group."""
        return name in self._keys.get(member, ())

    @property
    def has_people(self) -> bool:
        """Whether anybody is tracked here."""
        return bool(self._groups)

    @property
    def has_changes(self) -> bool:
        """Whether there is something that the store has not been told."""
        return bool(self._changes)

    def take_changes(self) -> Changes:
        """What the store has not been told, and is now."""
        with self._lock:
            changes, self._changes = self._changes, {}
            return changes

    def put_back(self, changes: Changes) -> None:
        """The store could not be told: it has to be later, of what has not changed again."""
        with self._lock:
            self._changes = {**changes, **self._changes}

    def everything(self) -> Changes:
        """All that is tracked."""
        with self._lock:
            return {
                (name, key): person.entry
                for name, group in self._groups.items()
                for key, person in group.items()
            }

    def of(self, name: str) -> dict[str, Entry]:
        """All that is tracked in this group."""
        with self._lock:
            return {key: person.entry for key, person in self._groups.get(name, {}).items()}
