"""The SQLite file in the run directory: one connection of this process, and what may befall it.

Whatever goes wrong, what is in the file is worth less than that groups go on: a file that is of no
use is removed, and the next one to come begins another.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.machine import RunDirectory

__all__ = ["Execute", "GroupFile", "Useless"]

logger = logging.getLogger("dwebsocket.groups")

FILE = "groups.sqlite3"
BESIDE = ("", "-wal", "-shm")

#: Seconds that others may take with it, which need microseconds; and while one is known to take
#: longer.
PATIENCE, IMPATIENCE = 0.5, 0.005

#: Seconds between two tries, at first and at most.
PAUSE, MAX_PAUSE = 0.0002, 0.01

#: Seconds after which the files are touched, lest they be removed as old ones.
TOUCHED = 3600.0

Execute = Callable[..., sqlite3.Cursor]


class Useless(Exception):
    """The file is none that this process could go on with."""


class GroupFile:
    """The file, opened when it is needed. Safe from any thread, and over a fork.

    Args:
        prepare: makes the tables of a new file; raises ``Useless`` for one of no use.
    """

    def __init__(
        self, directory: RunDirectory, prepare: Callable[[sqlite3.Connection], None]
    ) -> None:
        self._directory = directory
        self._prepare = prepare
        self._touched = time.monotonic()
        self._is_away = False
        self._start_anew()
        files.add(self)

    def _start_anew(self) -> None:
        self._lock = threading.Lock()  # for the connection
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._directory.path / FILE

    @contextmanager
    def transaction(self, what: str, *, writes: bool = True) -> Iterator[Execute]:
        """What executes statements that others see together, or not at all.

        Args:
            writes: whether it must wait for others that write.

        Raises:
            GroupUnavailable: the file cannot be used, or somebody else has it for too long.
        """
        with self._lock:
            try:
                connection = self._begin("BEGIN IMMEDIATE" if writes else "BEGIN")
                try:
                    yield connection.execute
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError, InvalidGroupBackend, Useless) as error:
                self._fail(error)
                raise GroupUnavailable(
                    f"{what} cannot be reached in {self.path}: {error}"
                ) from error
            self._tell_back()

    def _begin(self, statement: str) -> sqlite3.Connection:
        """Wait for others by tries of our own: greenlets go on meanwhile."""
        deadline = time.monotonic() + (IMPATIENCE if self._is_away else PATIENCE)
        pause = PAUSE
        while True:
            try:
                connection = self._connect()
                connection.execute(statement)
                return connection
            except sqlite3.OperationalError as error:
                if not is_locked(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and find_inode(self.path) != self._inode:
            self._disconnect()  # somebody has removed it, and others may have begun another
        if self._connection is None:
            try:
                self._open()
            except (sqlite3.DatabaseError, Useless) as error:
                if not is_useless(error):
                    raise
                self._remove(error)
                self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        self._directory.make()
        self._connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False
        )
        self._inode = None  # the file is there from the first statement on
        try:
            self._connection.execute("PRAGMA synchronous = OFF")
            self._prepare(self._connection)
            self._inode = find_inode(self.path)
        except BaseException:
            self._inode = find_inode(self.path)
            self._disconnect()
            raise

    def _fail(self, error: Exception) -> None:
        """Connect anew the next time; a file that is damaged begins anew."""
        if is_useless(error):
            self._remove(error)
        elif not self._is_away:
            self._is_away = True
            logger.warning(
                "What groups remember and who is present cannot be reached in %s: %s. Until it can "
                "be, what is sent to groups with a history raises GroupUnavailable. (Said once.)",
                self.path,
                error,
            )
        if not is_locked(error):
            self._disconnect()

    def _tell_back(self) -> None:
        if self._is_away:
            self._is_away = False
            logger.warning("What groups remember can be reached again in %s", self.path)

    def _remove(self, error: Exception) -> None:
        """Remove the file that was opened here, and no other that is there now."""
        inode = self._inode
        self._disconnect()
        if not isinstance(error, Useless):
            logger.warning("%s is damaged (%s): what groups remember begins anew", self.path, error)
        if inode is not None and find_inode(self.path) == inode:
            for suffix in BESIDE:
                with suppress(OSError):
                    self.path.with_name(FILE + suffix).unlink()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def touch(self) -> None:
        """Show that it is in use: systems remove files that are old from directories for temporary
        ones. Called now and then.
        """
        now = time.monotonic()
        if now >= self._touched + TOUCHED:
            self._touched = now
            for suffix in BESIDE:
                with suppress(OSError):
                    os.utime(self.path.with_name(FILE + suffix))

    # The end, and forks

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._disconnect()

    def hold(self) -> bool:
        """A process is about to fork: a connection, even a closed one's remains, must not be in
        both. Whether ``let_go`` is to be called.
        """
        if not self._lock.acquire(timeout=2 * PATIENCE):
            return False
        self._disconnect()
        return True

    def let_go(self) -> None:
        """The fork is done."""
        self._lock.release()

    def abandon(self) -> None:
        """In a forked child, where the connection was closed just before."""
        if self._connection is not None:  # but for one in use for too long
            abandoned.append(self._connection)
        self._start_anew()


#: Those that a fork found in use: not even their end is allowed in a child.
abandoned: list[Any] = []

#: All of this process.
files: WeakSet[GroupFile] = WeakSet()

#: Those that the thread holds which forks.
held = threading.local()


def hold_all() -> None:
    """Before a fork."""
    held.files = [file for file in list(files) if file.hold()]


def let_all_go() -> None:
    """After a fork, in the parent."""
    for file in held.files:
        file.let_go()
    held.files = []


def abandon_all() -> None:
    """After a fork, in the child."""
    for file in list(files):
        file.abandon()


def find_inode(path: Path) -> int | None:
    """Which file is there; it is no other's as long as it is open."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def is_locked(error: Exception) -> bool:
    """Whether somebody else has it."""
    return isinstance(error, sqlite3.OperationalError) and "lock" in str(error)


def is_useless(error: Exception) -> bool:
    """Whether the file is none of ours any more; a full disk and a lock are no damage."""
    kinds = (sqlite3.DatabaseError, sqlite3.IntegrityError, Useless)
    return type(error) in kinds or "malformed" in str(error)


os.register_at_fork(before=hold_all, after_in_parent=let_all_go, after_in_child=abandon_all)
