"""The tables of the file that the processes of a machine share."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from .file import Execute, Useless

__all__ = ["prepare"]

#: Of what the tables are. A process with a higher one begins anew; one with a lower one keeps off.
VERSION = 1

#: The start of the machine: what an earlier one has left may have holes that nothing shows.
BOOT = Path("/proc/sys/kernel/random/boot_id")

#: ``process.died`` is when it did, ``NULL`` while it lives.
SCHEMA = [
    "CREATE TABLE machine (boot TEXT, swept TEXT)",
    "CREATE TABLE position (name TEXT PRIMARY KEY, epoch TEXT, last INTEGER, expires REAL, "
    "forgotten REAL) WITHOUT ROWID",
    "CREATE TABLE message (name TEXT, offset INTEGER, expires REAL, data BLOB, "
    "PRIMARY KEY (name, offset)) WITHOUT ROWID",
    "CREATE TABLE process (name TEXT PRIMARY KEY, seen REAL, died REAL) WITHOUT ROWID",
    "CREATE TABLE present (name TEXT, key TEXT, process TEXT, info TEXT, stamp REAL, "
    "PRIMARY KEY (name, key, process)) WITHOUT ROWID",
    "CREATE INDEX present_process ON present (process)",
    f"PRAGMA user_version = {VERSION}",
]


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, if there are none.

    Raises:
        Useless: the file is of an earlier version, or an earlier start of the machine.
        sqlite3.OperationalError: somebody else is making them, or it is of a later version.
    """
    execute = connection.execute
    boot = find_boot()
    (version,) = execute("PRAGMA user_version").fetchone()
    if version == 0:
        create_tables(execute, boot)
    elif version > VERSION:
        raise sqlite3.OperationalError(
            f"a later dwebsocket uses it (version {version}, this process understands {VERSION}): "
            "start this process anew"
        )
    elif version < VERSION or execute("SELECT boot FROM machine").fetchone() != (boot,):
        raise Useless("it was left by an earlier version, or before the machine was started")


def create_tables(execute: Execute, boot: str) -> None:
    execute("PRAGMA auto_vacuum = INCREMENTAL")  # before all else, or it is of no effect
    execute("PRAGMA journal_mode = WAL")
    execute("BEGIN IMMEDIATE")
    try:
        if execute("PRAGMA user_version").fetchone() == (0,):  # nobody was faster
            if execute("SELECT name FROM sqlite_master LIMIT 1").fetchone() is not None:
                raise Useless("its tables are others")
            for statement in SCHEMA:
                execute(statement)
            execute("INSERT INTO machine VALUES (?, '')", (boot,))
        execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            execute("ROLLBACK")
        raise


def find_boot() -> str:
    """What names this start of the machine; nothing where the system does not tell."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
