"""The database connections of a test, for the threads that serve its WebSockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["SharedDatabases"]


class SharedDatabases:
    """The database connections of a test that is inside a transaction, for all who serve it.

    As LiveServerTestCase does: the view sees what the test has written.

    Attributes:
        unused: the request has ended, and nobody goes on beside it.
    """

    def __init__(self) -> None:
        self._connections = {
            connection.alias: connection
            for connection in connections.all(initialized_only=True)
            if connection.in_atomic_block
        }
        self._users = 1  # the request
        self._lock = threading.Lock()
        self.unused = threading.Event()
        for connection in self._connections.values():
            share(connection)

    def begin(self) -> None:
        """Somebody goes on when the request has ended."""
        with self._lock:
            self._users += 1

    def end(self) -> None:
        """The request has ended, or who went on beside it has."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        for connection in self._connections.values():
            unshare(connection)
        self.unused.set()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Have them in the running thread, in the place of its own."""
        own = {connection.alias: connection for connection in connections.all(True)}
        for alias, connection in self._connections.items():
            connections[alias] = connection
        try:
            yield
        finally:
            for alias in self._connections:
                if alias in own:
                    connections[alias] = own[alias]
                else:
                    del connections[alias]


def share(connection: BaseDatabaseWrapper) -> None:
    """Let another thread use the test's connection, and not close it at the request's end."""
    connection.inc_thread_sharing()
    connection.close_if_unusable_or_obsolete = lambda: None  # type: ignore[method-assign]


def unshare(connection: BaseDatabaseWrapper) -> None:
    """Give the test its connection back: the other threads have ended."""
    connection.dec_thread_sharing()
    if not connection.allow_thread_sharing:
        del connection.close_if_unusable_or_obsolete
