"""The thread in which asgiref runs what is plain (queries, for one) on behalf of a coroutine.

asgiref keeps one for each request, and with it the database connections that were opened there,
until the request ends. A coroutine with a WebSocket may wait for hours: it gives its thread back
first. Where a thread waits for the coroutine to end that one is used, and nothing is to be done.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from concurrent.futures import Executor
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from dwebsocket import database

__all__ = ["own_thread", "release_thread"]


def own_thread() -> None:
    """From now on the running task has a thread to itself, when it needs one."""
    SyncToAsync.thread_sensitive_context.set(ThreadSensitiveContext())


def release_thread() -> None:
    """The running coroutine needs its thread no more, until it makes another call."""
    executors: MutableMapping[Any, Executor] = SyncToAsync.context_to_thread_executor
    if not executors:  # none anywhere in this process: the usual case
        return
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = None if context is None else executors.pop(context, None)
    if executor is not None:
        executor.submit(database.close_all)
        executor.shutdown(wait=False)
