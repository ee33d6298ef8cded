"""What the groups of a machine remember: in a file of the run directory, by SQLite.

It outlives every process, and a new one goes on where the last one ended. What the machine's own
end leaves behind is worth nothing: no write is waited for.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups.history.positions import Position, create_epoch
from dwebsocket.groups.history.rules import Rule
from dwebsocket.groups.history.store import Kept, Log
from dwebsocket.machine import RunDirectory

__all__ = ["FileHistory"]

logger = logging.getLogger("dwebsocket.groups")

FILE = "groups.sqlite3"

#: Seconds that others may take with it. They need microseconds.
PATIENCE = 0.5

#: Messages of this process after which what is too old is removed from all groups.
SWEEP = 1000

#: Seconds without a message after which a group is forgotten, and begins anew.
FORGOTTEN = 7 * 86_400

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS position
    (name TEXT PRIMARY KEY, epoch TEXT, last INTEGER, touched REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message
    (name TEXT, offset INTEGER, expires REAL, data BLOB, PRIMARY KEY (name, offset)) WITHOUT ROWID;
"""


class FileHistory:
    """A ``HistoryStore`` for all processes of a machine."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._lock = threading.Lock()  # for the connection; held for an instant
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._appended = 0

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        now = time.time()
        with self._transaction(name) as execute:
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
        with self._transaction(name) as execute:
            position = Position(*find_position(execute, name, now))
            rows = execute(query, (name, now, after or 0, most)).fetchall()
        kept = sorted(Kept(*row) for row in rows)
        return Log(position, kept)

    def renew(self, name: str, epoch: str) -> None:
        now = time.time()
        with self._transaction(name) as execute:
            if find_position(execute, name, now)[0] == epoch:
                execute("DELETE FROM position WHERE name = ?", (name,))
                execute("DELETE FROM message WHERE name = ?", (name,))

    @contextmanager
    def _transaction(self, name: str) -> Iterator[Any]:
        """What executes statements that others see together, or not at all.

        Raises:
            GroupUnavailable: the file cannot be written to.
        """
        with self._lock:
            try:
                connection = self._connect()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection.execute
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError, InvalidGroupBackend) as error:
                self._fail(error)
                raise GroupUnavailable(
                    f"group {name!r}: what it remembers cannot be reached in {self._path}: {error}"
                ) from error

    @property
    def _path(self) -> Path:
        return self._directory.path / FILE

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and find_inode(self._path) != self._inode:
            self._disconnect()  # somebody has removed it, and others may have begun another
        if self._connection is None:
            self._directory.make()
            connection = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                connection.executescript(SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection, self._inode = connection, find_inode(self._path)
        return self._connection

    def _fail(self, error: Exception) -> None:
        """Connect anew the next time; a file that is damaged begins anew."""
        self._disconnect()
        if is_damage(error):
            logger.warning("%s is damaged (%s) and begins anew", self._path, error)
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self._path.with_name(FILE + suffix).unlink()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._disconnect()

    def abandon(self) -> None:
        """In a forked child: SQLite must not be used there with its parent's connection, not even
        to close it.
        """
        abandoned.append(self._connection)
        self._connection = None
        self._lock = threading.Lock()


def find_inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


#: Those of parents, which live as long as the child.
abandoned: list[Any] = []


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


def is_damage(error: Exception) -> bool:
    """Whether the file is none of ours any more; a full disk and a lock are no damage."""
    return type(error) is sqlite3.DatabaseError or "malformed" in str(error)
