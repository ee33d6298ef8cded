"""Sending when a transaction is committed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from dwebsocket.conf import conf

__all__ = ["call_on_commit"]

logger = logging.getLogger("dwebsocket.groups")

NO_AUTOCOMMIT = (
    "what is sent to the group %r cannot wait for the commit: the connection %r does not commit by "
    "itself, and outside atomic() Django tells nobody of a commit. Use atomic(), or send it behind "
    "your commit with on_commit=False"
)


def call_on_commit(
    name: str, function: Callable[[], None], wanted: bool | None, using: str | None
) -> None:
    """Call it when the transaction that the caller is in is committed, and never if that is rolled
    back; at once if that is not wanted, or if there is none.

    Args:
        name: of the group.
        wanted: ``None``: as ``WEBSOCKET_GROUPS_ON_COMMIT`` says.
        using: the database, ``None``: the default one.

    Raises:
        ConnectionDoesNotExist: there is no such database.
        TransactionManagementError: there is a transaction of whose end Django does not tell.
    """
    if not (conf.GROUPS_ON_COMMIT if wanted is None else wanted):
        function()
        return
    connection = connections[using or DEFAULT_DB_ALIAS]  # which does not connect
    if connection.in_atomic_block:
        # Not "robust": that names the function in its log, which not every callable can be.
        connection.on_commit(lambda: call_logged(name, function))
    elif is_manual(connection):
        raise TransactionManagementError(NO_AUTOCOMMIT % (name, connection.alias))
    else:
        function()


def is_manual(connection: BaseDatabaseWrapper) -> bool:
    """Whether it may be in a transaction of its user's; one not connected is in none."""
    return connection.connection is not None and not connection.autocommit


def call_logged(name: str, function: Callable[[], None]) -> None:
    """What was committed stays so, and what else waits for the commit is called."""
    try:
        function()
    except Exception:
        logger.exception("What was to be sent to the group %r behind a commit is not sent", name)
