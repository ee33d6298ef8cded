"""What groups send to a WebSocket that can be written only where its view runs.

Anybody puts it here, and rings; the owner, whose thread or greenlet that is, takes it out. What
waits is bounded: beyond it the Close is the last.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic

from dwebsocket.conf import conf
from dwebsocket.groups.base import Closing

__all__ = ["Outbox"]

#: Counted for each message that waits, besides its bytes: small ones cost more than these.
MESSAGE_COST = 128

#: Seconds in which an owner that finds no room for what is too much must have got on, before the
#: reader is a slow one.
PATIENCE = 0.05

#: The same for one that has had no turn to look: whoever sends quickly leaves it none.
TURN = 1.0

#: Times WEBSOCKET_MAX_SEND_BUFFER beyond which its turn is not waited for.
MAX_BURST = 8

Item = str | bytes | Closing


class Outbox:
    """The messages and the Close that wait, in their order.

    Attributes:
        wakeup_fd: a descriptor that is readable when something has been put here.
        items: what waits, and what each costs.
        last: the Close behind which nothing is put any more.
    """

    __slots__ = (
        "_closing_until",
        "_is_stuck",
        "_lock",
        "_overfull_since",
        "_shut",
        "_size",
        "items",
        "last",
        "wakeup_fd",
    )

    def __init__(self) -> None:
        self.wakeup_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.items: deque[tuple[Item, int]] = deque()
        self.last: Closing | None = None
        self._lock = threading.Lock()  # held for an instant
        self._closing_until = 0.0
        self._is_stuck = False  # the owner sends, or has found no room
        self._overfull_since: float | None = None  # since when more waits than may
        self._shut = False
        self._size = 0

    # For anybody; nothing of it waits

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._size

    def put(self, message: str | bytes, size: int) -> None:
        """Let a message of so many bytes wait."""
        with self._lock:
            if not self._shut:
                self._append(message, size + MESSAGE_COST)

    def put_last(self, code: int, reason: str) -> bool:
        """Let the Close wait behind all others; whether it is not the second one."""
        with self._lock:
            if self._shut:
                return False
            self._shut = True
            self.last = Closing(int(code), reason)
            self._closing_until = monotonic() + conf.CLOSE_TIMEOUT
            self._append(self.last, 0)
        return True

    @property
    def is_overfull(self) -> bool:
        """Whether more waits than ``WEBSOCKET_MAX_SEND_BUFFER``."""
        return self._overfull_since is not None

    def is_too_slow(self) -> bool:
        """Whether it has been so for longer than the owner needs to take it."""
        since = self._overfull_since
        if since is None:
            return False
        is_without_turn = not self._is_stuck and self._size <= MAX_BURST * conf.MAX_SEND_BUFFER
        return monotonic() - since > (TURN if is_without_turn else PATIENCE)

    def is_late(self) -> bool:
        """Whether the Close should have left by now."""
        return self.last is not None and monotonic() > self._closing_until

    def _append(self, item: Item, cost: int) -> None:
        self._count(cost)
        self.items.append((item, cost))
        if len(self.items) == 1:
            os.eventfd_write(self.wakeup_fd, 1)

    def _count(self, cost: int) -> None:
        self._size += cost
        if self._size <= conf.MAX_SEND_BUFFER:
            self._overfull_since = None
        elif self._overfull_since is None:
            self._overfull_since = monotonic()

    # For the owner

    def take(self) -> Item | None:
        """The next one, or ``None``. Say when it is sent."""
        with self._lock:
            if not self.items:
                return None
            item, cost = self.items.popleft()
            self._count(-cost)
            self._is_stuck = True
        return item

    def note_sent(self) -> None:
        """What was taken has left."""
        self._is_stuck = False

    def note_no_room(self) -> None:
        """The next one cannot be taken yet."""
        self._is_stuck = True

    def clear_wakeup(self) -> None:
        """Clear ``wakeup_fd``. Then look at ``items`` before waiting for it again."""
        try:
            os.eventfd_read(self.wakeup_fd)
        except BlockingIOError:
            pass

    # The end

    def stop(self) -> None:
        """Nothing of it can be sent any more. From any thread; idempotent."""
        with self._lock:
            self._shut = True
            self.items.clear()
            self._overfull_since = None

    def close(self) -> None:
        """Close ``wakeup_fd``: nobody waits for it any more. Idempotent."""
        self.stop()  # from here on nobody rings
        wakeup_fd, self.wakeup_fd = self.wakeup_fd, -1
        if wakeup_fd >= 0:
            os.close(wakeup_fd)
