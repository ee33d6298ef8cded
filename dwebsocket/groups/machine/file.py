"""What the processes of a machine keep together: in a file of the run directory, by SQLite.

It outlives every process, and a new one goes on where the last one ended. What the machine's own
end leaves behind is worth nothing: no write is waited for.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.machine import RunDirectory

__all__ = ["GroupFile"]

logger = logging.getLogger("dwebsocket.groups")

FILE = "groups.sqlite3"

#: Seconds that others may take with it. They need microseconds.
PATIENCE = 0.5

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
"""


class GroupFile:
    """The file, and the connection of this process to it. Safe from any thread."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._schema = SCHEMA
        self._lock = threading.Lock()  # for the connection; held for an instant
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None

    def add_tables(self, schema: str) -> None:
        """Have these tables, too. To be called before the file is used."""
        self._schema += schema

    @contextmanager
    def transaction(self, what: str, *, writes: bool = True) -> Iterator[Any]:
        """What executes statements that others see together, or not at all.

        Args:
            what: what is kept there, for messages.
            writes: ``False``: nothing is changed, and no other process is waited for.

        Raises:
            GroupUnavailable: the file cannot be used.
        """
        with self._lock:
            try:
                connection = self._connect()
                connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
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
                    f"{what} cannot be reached in {self._path}: {error}"
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
                connection.executescript(self._schema)
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


#: Those of parents, which live as long as the child.
abandoned: list[Any] = []


def find_inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def is_damage(error: Exception) -> bool:
    """Whether the file is none of ours any more; a full disk and a lock are no damage."""
    return type(error) is sqlite3.DatabaseError or "malformed" in str(error)
