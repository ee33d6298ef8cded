"""The end of a coroutine whose connection has ended while it waits for something else: it is
cancelled, once, unless it has been told of the end.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from dwebsocket.conf import conf
from dwebsocket.running.event_loop import is_in_event_loop

__all__ = ["Owner", "cancel_task", "note_end", "wait_for_task"]


class Owner(Protocol):
    """The WebSocket that the coroutine uses."""

    _knows_end: bool  # the task has been told that the connection has ended, or is cancelled
    _task: asyncio.Task[None] | None  # an async view, or what runs a handler


def note_end(owner: Owner) -> None:
    """The caller is told of the end. Another task may read or send for the coroutine, which does
    not know then.
    """
    if is_in_event_loop() and asyncio.current_task() is owner._task:
        owner._knows_end = True


def cancel_task(owner: Owner) -> None:
    """Cancel the task, unless it knows of the end: what it does then has its time."""
    if owner._task is not None and not owner._knows_end:
        owner._knows_end = True
        owner._task.cancel()


async def wait_for_task(owner: Owner, cancelled: asyncio.Future[Any] | None = None) -> None:
    """Wait until the task has ended, and cancel it after ``WEBSOCKET_CLOSE_TIMEOUT`` seconds, or
    when ``cancelled`` is done.
    """
    task = owner._task
    assert task is not None
    if task.done():
        return
    waited = [task] if cancelled is None else [task, cancelled]
    await asyncio.wait(waited, timeout=conf.CLOSE_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
    cancel_task(owner)
    await asyncio.wait([task])
