"""Where a session is: in the process that its sid names, or where it has gone from there."""

from __future__ import annotations

import threading
import time
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

#: Seconds that a process has to answer it; and between two such questions.
TIMEOUT, PAUSE = 1.0, 0.1

#: Seconds for which nobody is asked again for the sessions of a process that nobody knew: sids can
#: be made up.
KNOWN_FOR = 2.0

#: Processes that are asked for one session: more have not had it one after the other meanwhile.
MOST = 20

#: Sessions of which is remembered where they have been found.
MOST_REMEMBERED = 10_000


class Holders(NamedTuple):
    """Who had which sessions when all were asked.

    Attributes:
        asked: when that was, ``time.monotonic()``.
        is_all: whether all have answered.
        alive: those that have.
        of: by the process that has begun them.
    """

    asked: float
    is_all: bool
    alive: set[str]
    of: dict[str, list[str]]

    def rule_out(self, owner: str) -> bool:
        """Whether nobody else can have sessions of this process, which is not there any more, but
        those that had some, and who got them of these.
        """
        is_known = owner in self.of or monotonic() < self.asked + KNOWN_FOR
        return self.is_all and owner not in self.alive and is_known


class Memory:
    """What this process has found."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # held while others are asked
        self.holders = Holders(-KNOWN_FOR, False, set(), {})
        self.sessions: dict[str, str] = {}


memory = Memory()


def answer(args: Mapping[str, Any]) -> Iterable[list[Any]]:
    """What this process has."""
    links = get_links()
    if links is not None:
        yield [[links.name, registry.find_owners()]]


answer_with(WHO, answer)


def find_holders(since: float) -> Holders:
    """Who had which sessions at that time or later. May wait."""
    with memory.lock:
        if memory.holders.asked < since:
            time.sleep(max(0.0, memory.holders.asked + PAUSE - monotonic()))
            memory.holders = ask_all()
        return memory.holders


def ask_all() -> Holders:
    began = monotonic()
    try:
        survey = ask(WHO, {}, TIMEOUT)
    except GroupUnavailable:
        return Holders(began, False, set(), {})
    alive, of = set[str](), dict[str, list[str]]()
    for rows in survey.rows.values():
        for name, owners in rows:
            alive.add(name)
            for owner in owners:
                of.setdefault(owner, []).append(name)
    return Holders(began, not survey.silent, alive, of)


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
        self._is_over = False
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
        holders = memory.holders
        yield from (name for name in holders.of.get(self._owner, ()) if name not in others)
        if self._moved is None and not holders.rule_out(self._owner):
            self._moved = monotonic()
        while self._moved is not None:
            since, self._moved = self._moved, None
            holders = find_holders(since)
            yield from (name for name in holders.of.get(self._owner, ()) if name not in others)

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
        """The last one is not heard any more."""
        self._forget()
        links = get_links()
        if self._asked[-1] != self._owner:
            self._moved = monotonic()
        elif links is not None and not links.is_gone(self._owner):
            self._is_over = True  # it hangs, and may have it still

    def _forget(self) -> None:
        if memory.sessions.get(self._sid) == self._asked[-1]:
            memory.sessions.pop(self._sid, None)
