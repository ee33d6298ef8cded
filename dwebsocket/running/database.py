"""No idle WebSocket holds a database connection, and nothing of one client's is seen by another.

Django gives a request's connections back when the request ends; a view with a WebSocket may wait
for hours before that. So they are given back before a wait that blocks. Calls of handlers share
threads and greenlets: after each the connection objects themselves are thrown away, with all that
has been set on them.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from dwebsocket.supervisor import log_failure

__all__ = [
    "MOMENT",
    "EveryDatabase",
    "close_all",
    "forget_all",
    "look_again",
    "opened",
    "release",
    "touched",
]

#: Seconds of a wait for which a view keeps connections that CONN_MAX_AGE allows to last: clients
#: that answer at once do not make it connect each time.
MOMENT = 0.05

#: As long as this stands still, this process has opened no connection.
opened = 0

#: As long as this stands still, it has not even made a connection object.
touched = 0

numbers = count(1)  # two threads never get the same


def count_opened(**kwargs: Any) -> None:
    global opened, touched
    opened = touched = next(numbers)


connection_created.connect(count_opened, dispatch_uid="dwebsocket.database")


def create_connection(alias: str) -> BaseDatabaseWrapper:
    """Create a connection object for the running thread or greenlet, as Django does it."""
    global touched
    touched = next(numbers)
    return type(connections).create_connection(connections, alias)


# There is no signal for it, and to ask each thread what it has would take longer than a message.
connections.create_connection = create_connection  # type: ignore[method-assign]


class EveryDatabase(set[str]):
    """The aliases of all databases, whatever the settings will be."""

    def __contains__(self, alias: object) -> bool:
        return True


def release(*, at_once: bool = False) -> tuple[bool, int]:
    """Give back the connections of the running thread or greenlet that are not inside ``atomic``:
    all of them at once, or as Django does at the end of a request.

    Returns:
        Whether some are left that ``CONN_MAX_AGE`` allows to last, and a number: as long as that
        equals ``opened``, there is nothing to release.
    """
    seen, inside, left = opened, False, False
    for connection in connections.all(initialized_only=True):
        if connection.connection is None:
            continue  # in an event loop Django would not even let it be closed
        if connection.in_atomic_block:
            inside = True
            continue
        if at_once and not connection.allow_thread_sharing:
            close(connection)
        else:
            connection.close_if_unusable_or_obsolete()
        left = left or connection.connection is not None
    return left, -1 if inside or left else seen


def look_again() -> None:
    """Have Django look at the connections of the running thread or greenlet before they are used
    again, as for a new request: whether those that have failed, and those with
    ``CONN_HEALTH_CHECKS``, are usable. What is usable stays open, whatever its age.
    """
    for connection in connections.all(initialized_only=True):
        if connection.connection is None or connection.in_atomic_block:
            continue
        if connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()
        connection.health_check_done = False  # type: ignore[attr-defined]  # not in its stubs


def close(connection: BaseDatabaseWrapper) -> None:
    """Close a connection, or try to: nobody is to suffer from what it was before."""
    try:
        connection.close()
    except Exception:
        log_failure("A database connection cannot be closed")


def close_all() -> None:
    """Close all connections of the running thread or greenlet, which will not come back."""
    connections.close_all()


def forget_all() -> None:
    """Close all connections of the running thread or greenlet, in whatever state, and forget their
    objects: for whoever comes next there will be new ones.
    """
    for connection in take_all().values():
        close(connection)


def take_all() -> dict[str, BaseDatabaseWrapper]:
    """Take the connection objects away from the running thread or greenlet, by their aliases."""
    present: Any = connections._connections  # type: ignore[attr-defined]  # as Django's tests do
    taken = {alias: getattr(present, alias) for alias in connections if hasattr(present, alias)}
    for alias, connection in list(taken.items()):
        if connection.allow_thread_sharing:  # a test's, lent to this thread
            del taken[alias]
        else:
            del connections[alias]
    return taken
