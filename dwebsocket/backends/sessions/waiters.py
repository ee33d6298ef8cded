"""Those who wait for something, in whatever way: each is called once."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Waiter", "Waiters"]

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
