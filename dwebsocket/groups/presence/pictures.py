"""Who is present, as the handlers of this process know it that want to hear of it.

There is one picture of a group, whoever looks at it. Of a handler is kept only what it has known of
the keys that have changed since, until it is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from dwebsocket.groups.members import Member

from .people import Key, People, decode

__all__ = ["INTERVAL", "LOOK", "Pictures", "Told"]

#: Seconds between two looks at a group, and so between two calls of a handler.
INTERVAL = 1.0

#: Seconds after which a group is looked at though nobody has said that it has changed.
LOOK = 10.0

#: Nobody is present under this key.
NOBODY: Any = object()

#: Who has come and who has gone.
Told = tuple[People, People]


class Picture:
    """That of one group.

    Attributes:
        people: each key with its info.
        texts: the texts that these were made of.
        behind: for each handler that has not been told everything, what it knows of the keys that
            have changed, or ``None``: it knows nothing.
        overrun: those that have been told that there are too many to tell of.
        due: when it is to be looked at, ``time.monotonic()``.
    """

    __slots__ = ("behind", "due", "looked", "members", "overrun", "people", "texts")

    def __init__(self) -> None:
        self.people: dict[Key, Any] = {}
        self.texts: dict[str, str] = {}
        self.members: set[Member] = set()
        self.behind: dict[Member, Mapping[Key, Any] | None] = {}
        self.overrun: set[Member] = set()
        self.looked = -INTERVAL
        self.due = 0.0

    def want_look(self) -> None:
        """Look at it soon."""
        self.due = min(self.due, self.looked + INTERVAL)

    def update(self, texts: Mapping[str, str]) -> None:
        """Note what has changed, and who knows it otherwise."""
        changed = self._exchange(texts)
        if not changed:
            return
        for member in self.members:
            known = self.behind.get(member, NOBODY)
            if known is NOBODY:
                self.behind[member] = changed  # the same one for most
            elif known is not None:
                self.behind[member] = {**changed, **known}

    def _exchange(self, texts: Mapping[str, str]) -> dict[Key, Any]:
        """Take these over; what was known of the keys that have changed."""
        changed: dict[Key, Any] = {}
        for text in self.texts.keys() - texts.keys():
            key = decode(text)
            changed[key] = self.people.pop(key)
        for text, info in texts.items():
            if self.texts.get(text) != info:
                key = decode(text)
                changed[key] = self.people.get(key, NOBODY)
                self.people[key] = decode(info)
        self.texts = dict(texts)
        return changed

    def take(self, name: str, member: Member, limit: int | None) -> Told | None:
        """What this handler has to be told, and is now; ``None``: nothing."""
        known = self.behind.pop(member, NOBODY)
        if known is NOBODY:
            return None
        count = len(self.people)
        if limit is not None and count > limit:
            self.overrun.add(member)
            return People(name, count, {}), People(name, count, {})
        if member in self.overrun:
            self.overrun.discard(member)
            known = None
        joined = dict(self.people if known is None else self._find_new(known))
        left = {key: info for key, info in (known or {}).items() if key not in self.people}
        left = {key: info for key, info in left.items() if info is not NOBODY}
        if not joined and not left:
            return None
        return People(name, count, joined), People(name, count, left)

    def _find_new(self, known: Mapping[Key, Any]) -> Iterator[tuple[Key, Any]]:
        for key, info in known.items():
            here = self.people.get(key, NOBODY)
            if here is not NOBODY and (info is NOBODY or here != info):
                yield key, here


class Pictures:
    """Those of all groups. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._pictures: dict[str, Picture] = {}
        self._names: dict[Member, set[str]] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._pictures)

    def add(self, name: str, member: Member) -> None:
        """The handler of this member is to hear of the group, of all who are there at first."""
        with self._lock:
            picture = self._pictures.setdefault(name, Picture())
            if member not in picture.members:
                picture.members.add(member)
                picture.behind[member] = None
                self._names.setdefault(member, set()).add(name)
                picture.want_look()

    def discard(self, name: str, member: Member) -> bool:
        """It is to hear of this group no more; whether nobody is now."""
        with self._lock:
            names = self._names.get(member)
            if names is None or name not in names:
                return False
            names.discard(name)
            if not names:
                del self._names[member]
            return self._take_out(name, member)

    def leave(self, member: Member) -> list[str]:
        """It is to hear of no group any more; the names of those of which nobody is now."""
        if member not in self._names:
            return []
        with self._lock:
            names = self._names.pop(member, ())
            return [name for name in names if self._take_out(name, member)]

    def _take_out(self, name: str, member: Member) -> bool:
        picture = self._pictures[name]
        picture.members.discard(member)
        picture.behind.pop(member, None)
        picture.overrun.discard(member)
        if picture.members:
            return False
        del self._pictures[name]
        return True

    # Looking

    def want_look(self, name: str) -> bool:
        """Look at a group soon; whether anybody here is to hear of it."""
        with self._lock:
            picture = self._pictures.get(name)
            if picture is not None:
                picture.want_look()
            return picture is not None

    def want_looks(self) -> None:
        """Look at all groups soon."""
        with self._lock:
            for picture in self._pictures.values():
                picture.want_look()

    @property
    def next_due(self) -> float | None:
        """When the next one is to be looked at, ``time.monotonic()``."""
        with self._lock:
            return min((picture.due for picture in self._pictures.values()), default=None)

    def take_due(self, now: float) -> list[str]:
        """The groups that are to be looked at, and are now."""
        with self._lock:
            found = [name for name, picture in self._pictures.items() if picture.due <= now]
            for name in found:
                self._pictures[name].looked = now
                self._pictures[name].due = now + LOOK
            return found

    def update(self, name: str, texts: Mapping[str, str], until: float | None) -> list[Member]:
        """Take over what a look has shown; the members whose handlers have to be told.

        Args:
            until: seconds after which another look may show something else.
        """
        with self._lock:
            picture = self._pictures.get(name)
            if picture is None:
                return []
            picture.update(texts)
            if until is not None:
                soonest = picture.looked + INTERVAL
                picture.due = min(picture.due, max(time.monotonic() + until, soonest))
            return list(picture.behind)

    def take(self, name: str, member: Member, limit: int | None) -> Told | None:
        """What the handler of this member has to be told; ``None``: nothing any more."""
        with self._lock:
            picture = self._pictures.get(name)
            return None if picture is None else picture.take(name, member, limit)
