"""No idle WebSocket holds a database connection.

Django gives a request's connections back when the request ends; a view with a WebSocket may wait
for hours before that. So they are given back, as at a request's end, before a wait that blocks.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

__all__ = ["ConnectionWatch", "EveryDatabase", "close_all", "opened", "this_thread"]

#: How many connections this process has opened: as long as it stands still, none needs a look.
opened = 0


def count_opened(**kwargs: Any) -> None:
    global opened
    opened += 1


connection_created.connect(count_opened, dispatch_uid="dwebsocket.database")


class EveryDatabase(set[str]):
    """The aliases of all databases, whatever the settings will be."""

    def __contains__(self, alias: object) -> bool:
        return True


class ConnectionWatch:
    """Remembers whether the running thread or greenlet may hold an open database connection.

    Attributes:
        seen: as long as this equals ``opened``, there is nothing to release.
    """

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = -1 if opened else 0

    def release(self) -> None:
        """Give back connections not inside ``atomic``, as Django does at the end of a request."""
        seen, still_open = opened, False
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            still_open = still_open or connection.connection is not None
        # A connection kept by CONN_MAX_AGE grows old: look again at the next wait.
        self.seen = -1 if still_open else seen


class ThreadWatch(threading.local):
    """One watch for each thread that calls handlers."""

    def __init__(self) -> None:
        self.watch = ConnectionWatch()


this_thread = ThreadWatch()


def close_all() -> None:
    """Close all connections of the running thread or greenlet, which will not come back."""
    connections.close_all()
