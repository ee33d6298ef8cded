"""The thread in which asgiref runs what is plain (queries, for one) on behalf of a coroutine.

asgiref keeps one for each request, and with it the database connections that were opened there,
until the request ends. A coroutine with a WebSocket may wait for hours: it gives its thread back
first. Where a thread waits for the coroutine to end that one is used, and nothing is to be done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from concurrent.futures import Executor
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from dwebsocket import database
from dwebsocket.threads import Threads

__all__ = ["own_thread", "release_thread", "run_in_loop"]

executors: MutableMapping[Any, Executor] = SyncToAsync.context_to_thread_executor


def own_thread() -> None:
    """From now on the running task has a thread to itself, when it needs one."""
    SyncToAsync.thread_sensitive_context.set(ThreadSensitiveContext())


def release_thread() -> None:
    """The running coroutine needs its thread no more, until it makes another call."""
    if not executors:  # none anywhere in this process: the usual case
        return
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = None if context is None else executors.get(context)
    if executor is None:
        return
    if isinstance(executor, Threads):
        executor.dismiss()
        return
    del executors[context]
    executor.submit(database.close_all)
    executor.shutdown(wait=False)


def run_in_loop(run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run a coroutine function in an event loop of this thread. A process that ends does not wait
    for what the coroutine has asgiref run.
    """
    context = ThreadSensitiveContext()
    SyncToAsync.thread_sensitive_context.set(context)
    executors[context] = Threads(1, "dwebsocket-sync", patience=None)
    try:
        asyncio.run(run())
    finally:
        release_thread()
