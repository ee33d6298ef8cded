"""Questions to the event loop of the running thread, and futures that may be over already."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["is_in_event_loop", "set_done"]


def is_in_event_loop() -> bool:
    """Whether the caller runs in an event loop, and may not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def set_done(future: asyncio.Future[Any]) -> None:
    """Wake whoever awaits ``future``; nothing happens if it is done already."""
    if not future.done():
        future.set_result(None)
