"""Questions to the event loop of the running thread, and futures that may be over already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync

__all__ = ["call_in_loop", "is_in_event_loop", "set_done", "uncancel", "wait_for"]


def is_in_event_loop() -> bool:
    """Whether the caller runs in an event loop, and may not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> None:
    """Have a loop call this, soon. From any thread; nothing happens if the loop has ended."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        pass


def set_done(future: asyncio.Future[Any]) -> None:
    """Wake whoever awaits ``future``; nothing happens if it is done already."""
    if not future.done():
        future.set_result(None)


def uncancel(task: asyncio.Task[Any] | None) -> None:
    """Take back one ``cancel()`` of ours, whose ``CancelledError`` has been caught: Python counts
    them from 3.11 on.
    """
    if task is not None and hasattr(task, "uncancel"):
        task.uncancel()


def wait_for(
    run: Callable[[], Coroutine[Any, Any, Any]], loop: asyncio.AbstractEventLoop | None
) -> Any:
    """Call a coroutine function in a running event loop of another thread, or in one of its own,
    and wait for what it returns.
    """
    if loop is None:
        return async_to_sync(run)()
    return asyncio.run_coroutine_threadsafe(run(), loop).result()
