"""Messages that have come and that nobody has read yet, whoever waits for them, and how."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from dwebsocket.backends.readiness import Readiness
from dwebsocket.backends.waiters import Waiter, Waiters
from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.transports.base import Lock, remaining
from dwebsocket.websocket import Message

__all__ = ["Inbox"]

#: So many times as much as there is room for is more than any carrier brings unasked.
OVERFULL = 4


class Inbox:
    """Put and taken from any thread or greenlet. What has been ``put`` is told by ``wake``, which
    calls others, and so is called with no lock held.

    Attributes:
        on_put: called when something has come, or the end: it calls a handler.
        on_room: called when there is room again, after there was none.
    """

    __slots__ = (
        "_cost",
        "_create_lock",
        "_is_closed",
        "_lock",
        "_max_cost",
        "_messages",
        "_readiness",
        "_waiters",
        "_was_full",
        "on_put",
        "on_room",
    )

    def __init__(self, create_lock: Callable[[], Lock], max_size: int) -> None:
        self._create_lock = create_lock
        self._max_cost = max_size + RESERVE
        self._lock = threading.Lock()  # held for an instant
        self._messages: deque[Message] | None = None  # an empty one takes space
        self._cost = 0
        self._is_closed = self._was_full = False
        self._waiters = Waiters()
        self._readiness: Readiness | None = None
        self.on_put: Callable[[], None] | None = None
        self.on_room: Callable[[], None] | None = None

    def put(self, messages: Sequence[Message]) -> bool:
        """Add messages; whether there is room for more."""
        with self._lock:
            if messages and not self._is_closed:
                self._messages = self._messages or deque()
                self._messages.extend(messages)
                self._cost += cost_of(messages)
                self._was_full = self._cost >= self._max_cost
            return not self._was_full

    def close(self) -> None:
        """Mark the end, behind the last message."""
        self._is_closed = True

    def wake(self) -> None:
        """Wake those who wait: something has come, or the end."""
        with self._lock:
            if self._readiness is not None:
                self._readiness.set()
        self._waiters.wake()
        if self.on_put is not None:
            self.on_put()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes."""
        return self._is_closed

    @property
    def has_room(self) -> bool:
        """Whether more may come."""
        return not self._was_full

    @property
    def is_overfull(self) -> bool:
        """Whether far more has come than there is room for: some carriers bring what is on its way
        when they are told that nothing is wanted, but none goes on.
        """
        return self._cost > OVERFULL * self._max_cost

    @property
    def is_empty(self) -> bool:
        """Whether no message is here."""
        return not self._messages

    def look(self) -> list[Message]:
        """The messages that are here, and stay."""
        with self._lock:
            return list(self._messages or ())

    def clear(self) -> None:
        """Throw away what has come."""
        self.take_some(self._cost + 1)

    def take(self) -> Message | None:
        """One message, ``None`` when there is none."""
        taken = self.take_some(1)
        return taken[0] if taken else None

    def take_some(self, room: int) -> list[Message]:
        """The messages that are here, as long as they have cost less than ``room`` (``budget``)."""
        taken: list[Message] = []
        with self._lock:
            while room > 0 and self._messages:
                message = self._messages.popleft()
                taken.append(message)
                cost = cost_of([message])
                room -= cost
                self._cost -= cost
            if not self._messages:
                self._messages = None
                if self._readiness is not None and not self._is_closed:
                    self._readiness.clear()
            has_room = self._was_full and self._cost < self._max_cost // 2
            if has_room:
                self._was_full = False
        if has_room and self.on_room is not None:
            self.on_room()
        return taken

    def add_waiter(self, waiter: Waiter) -> bool:
        """Have this called by the next ``wake``; ``False`` if something is here already, or the
        end.
        """
        with self._lock:
            if self._messages or self._is_closed:
                return False
            self._waiters.add(waiter)
            return True

    def discard_waiter(self, waiter: Waiter) -> None:
        """Have it called no more."""
        self._waiters.discard(waiter)

    def wait(self, deadline: float | None) -> None:
        """Wait, in a thread or greenlet, until something is here, or the end.

        Raises:
            TimeoutError: the deadline, ``time.monotonic()`` value, passed.
        """
        woken = self._create_lock()
        woken.acquire()
        if not self.add_waiter(woken.release):
            return
        if deadline is None:
            woken.acquire()
        elif not woken.acquire(timeout=remaining(deadline)):
            self.discard_waiter(woken.release)
            raise TimeoutError("no message came in time")

    def fileno(self) -> int:
        """A descriptor that is readable while something is to be taken out."""
        with self._lock:
            if self._readiness is None:
                self._readiness = Readiness()
                if self._messages or self._is_closed:
                    self._readiness.set()
            return self._readiness.fileno()

    def close_descriptor(self) -> None:
        """Close the descriptor, if there is one."""
        if self._readiness is not None:
            self._readiness.close()
