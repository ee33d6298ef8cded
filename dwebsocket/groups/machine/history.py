"""What the groups of a machine remember: in a file of the run directory, by SQLite.

It outlives every process, and a new one goes on where the last one ended. What the machine's own
end leaves behind is worth nothing: no write is waited for.
"""

from __future__ import annotations

import random
import time

from dwebsocket.groups.history.positions import Position, create_epoch
from dwebsocket.groups.history.rules import Rule
from dwebsocket.groups.history.store import FORGOTTEN, Kept, Log

from .file import Execute, GroupFile

__all__ = ["FileHistory"]

#: Messages and new groups of this process after which so many groups are swept.
SWEEP, SWEPT = 100, 200

#: Pages of the file that may be of no use, for the next messages.
SPARE = 64


class FileHistory:
    """A ``HistoryStore`` for all processes of a machine."""

    def __init__(self, file: GroupFile) -> None:
        self._file = file
        # Those have their turn, too, that end after one message.
        self._changes = random.randrange(SWEEP)

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        now = time.time()
        with self._file.transaction(shown(name)) as execute:
            epoch, last = self._find_position(execute, name, now)
            last += 1
            expires, forgotten = now + rule.seconds, now + FORGOTTEN
            execute(
                "UPDATE position SET last = ?, expires = max(expires, ?), forgotten = ? "
                "WHERE name = ?",
                (last, expires, forgotten, name),
            )
            execute("INSERT INTO message VALUES (?, ?, ?, ?)", (name, last, expires, data))
            oldest = last - rule.size
            execute("DELETE FROM message WHERE name = ? AND offset <= ?", (name, oldest))
            self._sweep_in_turn(execute, now)
            return Position(epoch, last)

    def read(self, name: str, after: int | None, limit: int | None) -> Log:
        now = time.time()
        with self._file.transaction(shown(name), writes=False) as execute:
            found = find_position(execute, name)
            if found is not None:
                return Log(found, read_messages(execute, name, now, after, limit))
        with self._file.transaction(shown(name)) as execute:
            position = self._find_position(execute, name, now)
            return Log(position, read_messages(execute, name, now, after, limit))

    def renew(self, name: str, epoch: str) -> None:
        with self._file.transaction(shown(name)) as execute:
            found = find_position(execute, name)
            if found is not None and found.epoch == epoch:
                execute("DELETE FROM position WHERE name = ?", (name,))
                execute("DELETE FROM message WHERE name = ?", (name,))

    def _find_position(self, execute: Execute, name: str, now: float) -> Position:
        """Epoch and offset of a group, which begins now if it has none."""
        found = find_position(execute, name)
        if found is None:
            found = Position(create_epoch(), 0)
            row = (name, *found, now, now + FORGOTTEN)
            execute("INSERT INTO position VALUES (?, ?, ?, ?, ?)", row)
            self._sweep_in_turn(execute, now)
        return found

    def _sweep_in_turn(self, execute: Execute, now: float) -> None:
        self._changes += 1
        if self._changes % SWEEP == 0:
            sweep(execute, now)
            self._file.touch()


def shown(name: str) -> str:
    """What is kept, for messages."""
    return f"group {name!r}: what it remembers"


def find_position(execute: Execute, name: str) -> Position | None:
    """Where a group is; ``None`` if nothing is known of it."""
    query = "SELECT epoch, last FROM position WHERE name = ?"
    row = execute(query, (name,)).fetchone()
    return None if row is None else Position(*row)


def read_messages(
    execute: Execute, name: str, now: float, after: int | None, limit: int | None
) -> list[Kept]:
    if limit == 0:
        return []
    most = -1 if limit is None else limit
    where = "FROM message WHERE name = ? AND offset > ? AND expires > ?"
    order = "DESC" if after is None else "ASC"
    query = f"SELECT offset, data {where} ORDER BY offset {order} LIMIT ?"
    rows = execute(query, (name, after or 0, now, most)).fetchall()
    return sorted(Kept(*row) for row in rows)


def sweep(execute: Execute, now: float) -> None:
    """Remove what is too old of the next groups, in the order of their names."""
    query = (
        "SELECT name, expires, forgotten FROM position "
        "WHERE name > (SELECT swept FROM machine) ORDER BY name LIMIT ?"
    )
    rows = execute(query, (SWEPT,)).fetchall()
    for name, expires, forgotten in rows:
        if expires <= now:
            execute("DELETE FROM message WHERE name = ?", (name,))
            if forgotten <= now:
                execute("DELETE FROM position WHERE name = ?", (name,))
    last = rows[-1][0] if len(rows) == SWEPT else ""
    execute("UPDATE machine SET swept = ?", (last,))
    give_back(execute)


def give_back(execute: Execute) -> None:
    """Make the file smaller, if much of it is of no use: page by page, for that is all of it that
    one ``execute()`` does.
    """
    (free,) = execute("PRAGMA freelist_count").fetchone()
    for _ in range(min(free - SPARE, SWEPT)):
        execute("PRAGMA incremental_vacuum(1)")
