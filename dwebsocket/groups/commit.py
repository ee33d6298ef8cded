"""Sending when a transaction is committed."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections

from dwebsocket.conf import conf

__all__ = ["call_on_commit"]


def call_on_commit(function: Callable[[], None], wanted: bool | None, using: str | None) -> None:
    """Call it when the transaction that the caller is in is committed, and never if that is rolled
    back; at once if that is not wanted, or if there is none.

    Args:
        wanted: ``None``: as ``WEBSOCKET_GROUPS_ON_COMMIT`` says.
        using: the database, ``None``: the default one.

    Raises:
        ConnectionDoesNotExist: there is no such database.
    """
    if conf.GROUPS_ON_COMMIT if wanted is None else wanted:
        connection = connections[using or DEFAULT_DB_ALIAS]  # which does not connect
        if connection.in_atomic_block:
            connection.on_commit(function, robust=True)  # what it raises undoes no commit
            return
    function()
