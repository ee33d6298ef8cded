"""Where a session is: in the process that its sid names, or where it has gone from there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import Any, NamedTuple

from dwebsocket.backends.sessions import registry
from dwebsocket.backends.sessions.relay import get_links
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.survey import answer_with, ask

__all__ = ["Trail"]

#: The question who has sessions that a process has begun.
WHO = "sessions"

#: Seconds that a process has to answer it.
TIMEOUT = 1.0

#: Processes that are asked for one session: more have not had it one after the other meanwhile.
MOST = 20

#: Sessions, and processes, of which is remembered where they have been found.
MOST_REMEMBERED = 10_000


class Holders(NamedTuple):
    """Those that have sessions which one process has begun.

    Attributes:
        names: theirs.
        asked: when they were asked, ``time.monotonic()``.
        is_final: whether nobody else can have some who does not get them of these: all have
            answered, and the one process was not there any more.
    """

    names: list[str]
    asked: float
    is_final: bool


class Memory:
    """What this process has found."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # held while others are asked
        self.holders: dict[str, Holders] = {}
        self.sessions: dict[str, str] = {}


memory = Memory()


def answer(args: Mapping[str, Any]) -> Iterable[list[Any]]:
    """Whether this process has some."""
    links = get_links()
    if links is not None and registry.has_some_of(str(args.get("of"))):
        yield [[links.name]]


answer_with(WHO, answer)


def find_holders(owner: str, since: float, *, is_dead: bool) -> Holders:
    """Those that have sessions of this process, at that time or later. May wait.

    Args:
        is_dead: whether that is not there any more.
    """
    with memory.lock:
        found = memory.holders.get(owner)
        if found is None or found.asked < since:
            found = ask_all(owner, is_dead=is_dead)
            remember(memory.holders, owner, found)
        return found


def ask_all(owner: str, *, is_dead: bool) -> Holders:
    began = monotonic()
    try:
        survey = ask(WHO, {"of": owner}, TIMEOUT)
    except GroupUnavailable:
        return Holders([], began, is_final=False)
    names = [name for rows in survey.rows.values() for (name,) in rows]
    return Holders(names, began, is_final=is_dead and not survey.silent)


def remember(where: dict[str, Any], key: str, value: Any) -> None:
    """Keep this, and forget what was kept first if that is much."""
    where[key] = value
    while len(where) > MOST_REMEMBERED:
        where.pop(next(iter(where)), None)


class Trail:
    """The processes that may have one session. They are asked one after the other, and what they
    say is told.

    Args:
        owner: the process that has begun it.
    """

    def __init__(self, sid: str, owner: str) -> None:
        self._sid = sid
        self._owner = owner
        self._asked: list[str] = []
        self._names = self._find_names()
        self._is_over = self._owner_is_dead = False
        self._moved: float | None = None  # since when others may have it than were known

    def next(self) -> str | None:
        """Whom to ask; ``None``: nobody has it. May wait."""
        if self._is_over or len(self._asked) >= MOST:
            return None
        name = next(self._names, None)
        if name is not None:
            self._asked.append(name)
        return name

    def _find_names(self) -> Iterator[str]:
        links = get_links()
        own = "" if links is None else links.name
        others = {self._owner, own}
        known = memory.sessions.get(self._sid)
        if known is not None:
            yield known
        if own == self._owner:
            self._moved = monotonic()
        else:
            yield self._owner
        holders = memory.holders.get(self._owner)
        if holders is not None:
            yield from (name for name in holders.names if name not in others)
        if self._moved is None and (holders is None or not holders.is_final):
            self._moved = monotonic()
        while self._moved is not None:
            since, self._moved = self._moved, None
            holders = find_holders(self._owner, since, is_dead=self._owner_is_dead)
            yield from (name for name in holders.names if name not in others)

    # What was answered

    def note_found(self) -> None:
        """The last one has it."""
        if self._asked[-1] != self._owner:
            remember(memory.sessions, self._sid, self._asked[-1])

    def note_gone(self) -> None:
        """The last one does not have it. The one that has begun it would know if others had."""
        self._forget()
        self._is_over = self._asked[-1] == self._owner

    def note_moved(self) -> None:
        """The last one had it, and has it no more: others may have it than were known."""
        self._forget()
        self._moved = monotonic()

    def note_lost(self) -> None:
        """The last one is not there any more."""
        self._forget()
        if self._asked[-1] == self._owner:
            self._owner_is_dead = True
        else:
            self._moved = monotonic()

    def _forget(self) -> None:
        if memory.sessions.get(self._sid) == self._asked[-1]:
            memory.sessions.pop(self._sid, None)
