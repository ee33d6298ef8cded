"""Those who wait for something, in whatever way: each is called once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from dwebsocket.running.event_loop import call_in_loop, set_done

__all__ = ["Waiter", "Waiters", "wait_for_wake"]

#: Releases a lock, or has a loop end a future.
Waiter = Callable[[], object]


class Waiters:
    """From any thread or greenlet."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """Have this called by the next ``wake``."""
        self._waiters.append(waiter)

    def discard(self, waiter: Waiter) -> bool:
        """Have it called no more; whether it has not been."""
        try:
            self._waiters.remove(waiter)
        except ValueError:
            return False
        return True

    def wake(self) -> None:
        """Call those that are there now."""
        while self._waiters:
            try:
                waiter = self._waiters.pop(0)
            except IndexError:  # somebody else was quicker
                return
            waiter()


async def wait_for_wake(
    add: Callable[[Waiter], bool], discard: Callable[[Waiter], object], deadline: float | None
) -> None:
    """Wait, in a coroutine, until a waiter is called that has been added; not at all if none was.

    Args:
        add: whether it has added the waiter.
        deadline: a ``time.monotonic()`` value.

    Raises:
        TimeoutError: the deadline passed.
    """
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake() -> None:
        call_in_loop(loop, set_done, woken)

    if not add(wake):
        return
    try:
        await asyncio.wait([woken], timeout=None if deadline is None else deadline - monotonic())
    finally:
        discard(wake)
    if not woken.done():
        raise TimeoutError("no message came in time")
