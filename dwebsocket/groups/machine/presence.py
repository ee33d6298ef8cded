"""Who is present in the groups of a machine: rows of each process, which count while it lives, and
for a while after it has died.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.presence import RENEWAL, Changes, Entry, Snapshot, merge
from dwebsocket.machine import Channel

from .file import GroupFile

__all__ = ["FilePresence"]

ENTER = "INSERT INTO process VALUES (?, ?, NULL) ON CONFLICT DO NOTHING"
READ = """
SELECT key, info, stamp, present.process, died
    FROM present JOIN process ON process.name = present.process
    WHERE present.name = ?
"""
#: When it died is known from its last sign of life, or from when it was found.
BURY = "UPDATE process SET died = min(?, seen + ?) WHERE name = ? AND died IS NULL"
FORGET_ROWS = "DELETE FROM present WHERE process IN (SELECT name FROM process WHERE died <= ?)"

#: What is kept, for messages.
WHO = "who is present"


class FilePresence:
    """A ``PresenceStore`` for all processes of a machine.

    Args:
        channel: whoever listens there lives.
    """

    def __init__(self, file: GroupFile, channel: Channel) -> None:
        self._file = file
        self._channel = channel

    def write(self, changes: Changes, everything: Callable[[], Changes]) -> None:
        process = self._find_name()
        with self._file.transaction(WHO) as execute:
            if execute(ENTER, (process, time.time())).rowcount:  # the first time, or all is lost
                changes = {**everything(), **changes}
            put_rows(execute, process, changes)

    def renew(self, everything: Callable[[], Changes]) -> None:
        process = self._find_name()
        query = "UPDATE process SET seen = ?, died = NULL WHERE name = ?"
        with self._file.transaction(WHO) as execute:
            if not execute(query, (time.time(), process)).rowcount:
                execute(ENTER, (process, time.time()))
                put_rows(execute, process, everything())

    def _find_name(self) -> str:
        """What the others know this process by, and see that it lives."""
        self._channel.listen()
        name = self._channel.name
        if name is None:
            raise GroupUnavailable("this process cannot listen in the run directory")
        return name

    def read(self, names: Sequence[str]) -> dict[str, Snapshot]:
        with self._file.transaction(WHO, writes=False) as execute:
            rows = {name: execute(READ, (name,)).fetchall() for name in names}
        now, grace = time.time(), conf.PRESENCE_GRACE
        known = {row[3]: row[4] for found in rows.values() for row in found}
        died = self._find_dead(known, now)
        if any(
            known[name] is None or not is_recent(when, now, grace) for name, when in died.items()
        ):
            died = self._bury(died, now, grace)
        return {name: take_stock(found, died, now, grace) for name, found in rows.items()}

    def _find_dead(self, known: dict[str, float | None], now: float) -> dict[str, float]:
        """When each of those that are dead died; now, where nobody knew."""
        own, directory = self._channel.name, self._channel.directory
        died = {name: when for name, when in known.items() if when is not None}
        for name in known.keys() - died.keys():
            if name != own and not directory.is_alive(name):
                died[name] = now
        return died

    def _bury(self, dead: Collection[str], now: float, grace: float) -> dict[str, float]:
        """Write down that they are dead, and forget those who have been for long.

        Returns:
            When those died that are not forgotten.
        """
        with self._file.transaction(WHO) as execute:
            for name in dead:
                execute(BURY, (now, RENEWAL, name))
            execute(FORGET_ROWS, (now - grace,))
            execute("DELETE FROM process WHERE died <= ?", (now - grace,))
            found = execute("SELECT name, died FROM process WHERE died IS NOT NULL").fetchall()
        left = dict(found)
        return {name: left.get(name, now - grace) for name in dead}


def put_rows(execute: Any, process: str, changes: Changes) -> None:
    for (name, key), entry in changes.items():
        if entry is None:
            query = "DELETE FROM present WHERE name = ? AND key = ? AND process = ?"
            execute(query, (name, key, process))
        else:
            query = "INSERT OR REPLACE INTO present VALUES (?, ?, ?, ?, ?)"
            execute(query, (name, key, process, *entry))


def take_stock(rows: Sequence[Any], died: dict[str, float], now: float, grace: float) -> Snapshot:
    """Who of these is present."""
    found: list[tuple[str, Entry]] = []
    ends: list[float] = []
    for key, info, stamp, process, _ in rows:
        when = died.get(process)
        if when is None or is_recent(when, now, grace):
            found.append((key, Entry(info, stamp)))
        if when is not None and is_recent(when, now, grace):
            ends.append(when + grace - now)
    return Snapshot(merge(found), min(ends, default=None))


def is_recent(when: float, now: float, grace: float) -> bool:
    """Whether that is no longer ago; nor yet to come, since clocks are set back."""
    return now - grace < when <= now
