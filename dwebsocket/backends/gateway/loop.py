"""The event loop of a process with handlers, for coroutines: one thread, started when it is
needed.
"""

from __future__ import annotations

import asyncio
import os
import threading

from dwebsocket.supervisor import start_thread

__all__ = ["get_loop", "is_loop"]


class Loop:
    """The loop, and what guards its beginning."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        start_thread(loop.run_forever, "dwebsocket-gateway-loop")
        return loop


this_process = Loop()


def get_loop() -> asyncio.AbstractEventLoop:
    """The loop, which runs.

    Raises:
        RuntimeError: the system has no thread for it.
    """
    with this_process.lock:
        if this_process.loop is None:
            this_process.loop = this_process.start()
        return this_process.loop


def is_loop(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is the one."""
    return loop is this_process.loop


def start_anew() -> None:
    """In a forked child, which has none of its threads."""
    global this_process
    this_process = Loop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
