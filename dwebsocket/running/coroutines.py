"""The thread in which asgiref runs what is plain (queries, for one) on behalf of a coroutine.

asgiref keeps one for each request, and with it the database connections that were opened there,
until the request ends. A coroutine with a WebSocket may wait for hours: it gives its thread back
first, and one that nobody has used for a while ends by itself.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, MutableMapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext

from dwebsocket.running.threads import Threads

__all__ = [
    "borrows_thread",
    "end_thread",
    "own_thread",
    "release_thread",
    "run_in_loop",
    "surround_calls",
]

#: Seconds without use after which a thread ends that its coroutines have not given back.
PATIENCE = 10.0

executors: MutableMapping[Any, Executor] = SyncToAsync.context_to_thread_executor


Surround = Callable[[Callable[[], Any]], Callable[[], Any]]


class OwnThread(Executor):
    """One thread for the coroutines of one connection. There is none until it is used.

    Attributes:
        surround: what makes of a call one that is within something.
    """

    def __init__(self) -> None:
        self.surround: Surround | None = None
        self._threads: Threads | None = None
        self._users: set[asyncio.Task[Any] | None] = set()  # who may go on with it

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._threads is None:
            self._threads = Threads(1, "dwebsocket-sync", PATIENCE, keeps_databases=True)
        self._users.add(asyncio.current_task())
        in_use.add(self)
        if self.surround is not None:
            function = surround_innermost(function, self.surround)
        return self._threads.submit(function, *args, **kwargs)

    def release(self) -> None:
        """The running task needs it no more. Another one may be in the middle of a query."""
        self._users.discard(asyncio.current_task())
        if all(task is None or task.done() for task in self._users):
            self.end()

    def end(self) -> None:
        """Nobody needs it until somebody uses it again."""
        self._users.clear()
        in_use.discard(self)
        if self._threads is not None:
            self._threads.dismiss()


#: Those that have a thread, perhaps.
in_use: set[OwnThread] = set()


def surround_innermost(function: Callable[..., Any], surround: Surround) -> Callable[..., Any]:
    """asgiref calls its own function with that of the user in the last place, which it calls in
    the coroutine's context: it is to be surrounded there.
    """
    if isinstance(function, partial) and function.args and callable(function.args[-1]):
        *args, innermost = function.args
        return partial(function.func, *args, surround(innermost), **function.keywords)
    return surround(function)


def find_thread() -> OwnThread | None:
    """That of the running coroutine."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    thread = None if context is None else executors.get(context)
    return thread if isinstance(thread, OwnThread) else None


def surround_calls(surround: Surround) -> None:
    """Have something around each plain call that is made for the running coroutine."""
    thread = find_thread()
    if thread is not None:
        thread.surround = surround


def own_thread() -> None:
    """From now on the running task has a thread to itself, when it needs one."""
    context = ThreadSensitiveContext()
    SyncToAsync.thread_sensitive_context.set(context)
    executors[context] = OwnThread()


def release_thread() -> None:
    """The running coroutine needs its thread no more, until it makes another call."""
    if in_use:  # somewhere in this process; usually it is not
        thread = find_thread()
        if thread is not None:
            thread.release()


def end_thread() -> None:
    """Undo ``own_thread``: no coroutine of this connection or task needs it any more."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    thread = None if context is None else executors.pop(context, None)
    if isinstance(thread, OwnThread):
        thread.end()


def borrows_thread() -> bool:
    """Whether what is plain runs in a thread that waits for the running task in ``async_to_sync``,
    and no other task may be in the middle of a query there.
    """
    borrows = getattr(AsyncToSync.executors, "current", None) is not None
    return borrows and len(asyncio.all_tasks()) == 1


def run_in_loop(
    run: Callable[[], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop
) -> None:
    """Run a coroutine function in this thread and this event loop, which is closed then. A process
    that ends does not wait for what the coroutine has asgiref run.
    """
    own_thread()
    try:
        if sys.version_info >= (3, 11):
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(run())
        else:
            loop.close()  # for another one, whose descriptors are free now
            asyncio.run(run())
    finally:
        end_thread()
