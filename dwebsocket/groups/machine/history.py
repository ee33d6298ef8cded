"""What the groups of a machine remember."""

from __future__ import annotations

import struct
import time
from typing import Any

from dwebsocket.groups.history.positions import Position, create_epoch
from dwebsocket.groups.history.rules import Rule
from dwebsocket.groups.history.store import Kept, Log

from .file import GroupFile

__all__ = ["FileHistory", "pack_position", "unpack_position"]

#: Messages of this process after which what is too old is removed from all groups.
SWEEP = 1000

#: Seconds without a message after which a group is forgotten, and begins anew.
FORGOTTEN = 7 * 86_400

SCHEMA = """
CREATE TABLE IF NOT EXISTS position
    (name TEXT PRIMARY KEY, epoch TEXT, last INTEGER, touched REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message
    (name TEXT, offset INTEGER, expires REAL, data BLOB, PRIMARY KEY (name, offset)) WITHOUT ROWID;
"""

#: Bytes of an epoch's text, and the offset.
POSITION = struct.Struct("!8sQ")


def pack_position(position: Position) -> bytes:
    """What stands in front of a message on its way."""
    return POSITION.pack(position.epoch.encode(), position.offset)


def unpack_position(body: bytes) -> tuple[Position, bytes]:
    """The position, and what stands behind it.

    Raises:
        ValueError: there is none.
    """
    if len(body) < POSITION.size:
        raise ValueError(f"{len(body)} bytes, less than a position")
    epoch, offset = POSITION.unpack_from(body)
    return Position(epoch.decode(), offset), body[POSITION.size :]


class FileHistory:
    """A ``HistoryStore`` for all processes of a machine."""

    def __init__(self, file: GroupFile) -> None:
        file.add_tables(SCHEMA)
        self._file = file
        self._appended = 0

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        now = time.time()
        with self._file.transaction(f"group {name!r}: what it remembers") as execute:
            epoch, last = find_position(execute, name, now)
            last += 1
            execute("UPDATE position SET last = ?, touched = ? WHERE name = ?", (last, now, name))
            expires = now + rule.seconds
            execute("INSERT INTO message VALUES (?, ?, ?, ?)", (name, last, expires, data))
            oldest = last - rule.size
            execute("DELETE FROM message WHERE name = ? AND offset <= ?", (name, oldest))
            self._appended += 1
            if self._appended % SWEEP == 0:
                sweep(execute, now)
            return Position(epoch, last)

    def read(self, name: str, after: int | None, limit: int | None) -> Log:
        now = time.time()
        most = -1 if limit is None else limit
        where = "FROM message WHERE name = ? AND expires > ? AND offset > ?"
        order = "DESC" if after is None and limit is not None else "ASC"
        query = f"SELECT offset, data {where} ORDER BY offset {order} LIMIT ?"
        with self._file.transaction(f"group {name!r}: what it remembers") as execute:
            position = Position(*find_position(execute, name, now))
            rows = execute(query, (name, now, after or 0, most)).fetchall()
        kept = sorted(Kept(*row) for row in rows)
        return Log(position, kept)


def find_position(execute: Any, name: str, now: float) -> tuple[str, int]:
    """Epoch and offset of a group, which begins now if it has none."""
    query = "SELECT epoch, last FROM position WHERE name = ?"
    found: tuple[str, int] | None = execute(query, (name,)).fetchone()
    if found is None:
        found = (create_epoch(), 0)
        execute("INSERT INTO position VALUES (?, ?, ?, ?)", (name, *found, now))
    return found


def sweep(execute: Any, now: float) -> None:
    """Remove what is too old."""
    execute("DELETE FROM message WHERE expires <= ?", (now,))
    execute("DELETE FROM position WHERE touched < ?", (now - FORGOTTEN,))
