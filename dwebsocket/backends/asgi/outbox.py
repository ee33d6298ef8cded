"""What waits to be sent: put here from any thread, taken out in the event loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic

from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.conf import conf
from dwebsocket.protocol.state import Reading

from .connection import Event
from .events import EVENT_COST, Item
from .parts import Owner

__all__ = ["MAX_WAITING", "Outbox"]

#: Bytes that may wait in the loop before the thread of a view waits, too.
MAX_WAITING = 65536

#: Seconds in which the server must have taken what is too much, before the reader is a slow one.
PATIENCE = 0.05

#: How often that begins anew where the loop has had no time to give it to the server.
MAX_CHECKS = 20

#: Times WEBSOCKET_MAX_SEND_BUFFER beyond which there is no patience: a coroutine sends and sends,
#: and gives the loop no time.
MAX_BURST = 8

#: Guards what waits to be sent, of all connections, for an instant.
queue_lock = threading.Lock()


class Outbox:
    """The messages and the Close that wait, in their order. They change under ``queue_lock``, and
    so does the state.

    Attributes:
        items: what waits, the oldest first.
        taken: what ``take`` has taken out and has not been sent, the oldest last. The loop's.
        cost: of all of these, in bytes.
        is_scheduled: the loop is going to call ``start_flush``.
    """

    __slots__ = (
        "_connection",
        "_drained",
        "_owner",
        "_slow_check",
        "_state",
        "cost",
        "is_scheduled",
        "items",
        "taken",
    )

    _drained: threading.Condition | None  # threads wait here for room
    _slow_check: object | None  # more waits than may: this check will see whether it still does

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._connection = owner._connection
        self._state = owner._state
        self.items: list[Item] = []
        self.taken: list[Item] = []
        self.cost = 0
        self.is_scheduled = False
        self._slow_check = self._drained = None

    def put(self, item: Item, *, with_others: bool = False) -> bool:
        """Add an item, whatever waits already.

        Args:
            with_others: very many connections get one at once.

        Returns:
            ``False`` when nothing is sent any more.
        """
        with queue_lock:
            if self._state.writing:
                return False
            self.items.append(item)
            self.cost += item[1]
            if self.is_scheduled:
                return True
            self.is_scheduled = True
        if with_others:
            self._connection.flush_with_others(self._owner._writer)
        else:
            self._connection.call(self._owner._writer.start_flush)
        return True

    def put_within_bounds(self, item: Item, *, with_others: bool = False) -> bool:
        """As ``put``; closes the connection with 1013 where more than ``WEBSOCKET_MAX_SEND_BUFFER``
        bytes wait, and go on waiting.
        """
        bound = conf.MAX_SEND_BUFFER
        if self.cost > bound and not self._state.writing:
            if self.cost > MAX_BURST * bound:
                self._close_slow()
            else:
                self._check_slow_soon()
        return self.put(item, with_others=with_others)

    def put_close(self, event: Event) -> bool:
        """Add our Close, behind which nothing can be put; whether it is the first one, and the
        connection has not ended.
        """
        state = self._state
        with queue_lock:
            if state.writing or state.reading:
                return False
            self.items.append((event, EVENT_COST, None))
            self.cost += EVENT_COST
            state.queue_close()
        return True

    # A reader for whom too much waits

    def _check_slow_soon(self) -> None:
        """Have the loop check in ``PATIENCE`` seconds whether too much still waits."""
        # Whoever sends quickly gives the loop no time to pass anything on: the reader is slow only
        # if the server does not take it, once it has had the time.
        connection = self._connection
        if not connection.is_in_loop():
            connection.let_loop_work()
        with queue_lock:
            if self._slow_check is not None or self.cost <= conf.MAX_SEND_BUFFER:
                return
            self._slow_check = check = object()
        connection.call(self._check_slow_later, check, MAX_CHECKS)

    def _check_slow_later(self, check: object, count: int) -> None:
        due = monotonic() + PATIENCE
        self._connection.loop.call_later(PATIENCE, self._check_slow, check, due, count - 1)

    def _check_slow(self, check: object, due: float, left: int) -> None:
        if self._slow_check is not check:
            return
        # A loop that has stood still has yet to hear that the server takes more.
        has_had_time = self._owner._writer.is_sending and monotonic() < due + PATIENCE
        if has_had_time or not left:
            self._close_slow()
        else:
            self._check_slow_later(check, left)

    def _close_slow(self) -> None:
        if self._owner._closing.close(*TOO_SLOW):
            count_slow()

    # Threads that wait

    def wait_for_room(self) -> None:
        """Block until no more than ``MAX_WAITING`` bytes wait, or the connection has ended. If the
        peer does not read the loop ends it.
        """
        self.wait_for(lambda: self.cost <= MAX_WAITING or bool(self._state.reading))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Block until this is true; it is asked when something has been sent or dropped."""
        with queue_lock:
            if self._drained is None:
                self._drained = threading.Condition(queue_lock)
            self._drained.wait_for(condition)

    def stop_reading(self, reading: Reading) -> bool:
        """Change the state, which ``put_close`` looks at; whether messages were still read."""
        with queue_lock:
            was_open = not self._state.reading
            self._state.stop_reading(reading)
        return was_open

    # What the writer takes out, in the loop

    def take_only(self) -> tuple[Event, int] | None:
        """Take out the one message that waits, and its cost; ``None`` if there is none, or more, or
        somebody awaits it.
        """
        with queue_lock:
            if len(self.items) != 1:
                return None
            event, cost, sent = self.items[0]
            if event is None or event["type"] != "websocket.send" or sent is not None:
                return None
            self.items.clear()
        return event, cost

    def take(self) -> bool:
        """Take all that waits out, into ``taken``, which is empty; whether there was anything."""
        with queue_lock:
            self.taken, self.items = self.items, []
        self.taken.reverse()
        return bool(self.taken)

    def count_sent(self, cost: int) -> None:
        """Give back what an item has cost, and wake threads that wait."""
        with queue_lock:
            self.cost -= cost
            if self._slow_check is not None and self.cost <= conf.MAX_SEND_BUFFER:
                self._slow_check = None
            if self._drained is not None:
                self._drained.notify_all()

    def drop(self) -> None:
        """Throw away all that waits, let nothing be put any more, and wake all who wait."""
        with queue_lock:
            self._state.send_close()
            dropped = [*self.taken, *self.items]
            self.taken, self.items = [], []
            self.cost = 0
            if self._drained is not None:
                self._drained.notify_all()
        for _, _, sent in dropped:
            if sent is not None and not sent.done():
                sent.set_result(None)


def forget_lock() -> None:
    """Make a new lock in a forked child, whose parent may have held it."""
    global queue_lock
    queue_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)
