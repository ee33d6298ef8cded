"""The process that ends: its connections go to others, a few at a time.

Nothing further is called of a connection, what is being called ends, and what it holds is taken
out. Another process makes it anew, and joins its groups; then it is told what has come here
meanwhile, and goes on. Until it has taken a connection that is ours: it goes on here, and has a
Close in the end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from dwebsocket.backends.gunicorn_worker import has_successor
from dwebsocket.backends.kept_state import InvalidKeptState, check_state
from dwebsocket.backends.sessions.departing import SessionDeparture
from dwebsocket.backends.sockets.departing import Departure
from dwebsocket.conf import conf
from dwebsocket.groups import settle
from dwebsocket.machine.passing import PassingError, Sender
from dwebsocket.supervisor import log_failure
from dwebsocket.upgrade.handler import HandlerCalls

from .kinds import JOINED, KIND, LATE, OPEN
from .records import Moved, name_of_class, pack_late, pack_moved
from .successors import Successors

__all__ = ["hand_over"]

logger = logging.getLogger("dwebsocket.connection")

#: Connections that go together: the clients of these wait for each other.
BATCH = 50

#: Bytes that go together: more is asked of one connection only.
BATCH_BYTES = 16 << 20

#: Seconds in which another process accepts, and in which its handlers' ``on_resume`` return.
ACCEPT_TIMEOUT, RESUME_TIMEOUT = 10.0, 30.0

#: The part of the time for which another process is waited for.
PART = 0.7

#: Seconds between two looks at whether handlers have returned.
PAUSE = 0.002

#: Seconds after which those are tried again that could not go just then.
AGAIN = 0.05

#: Seconds in which what was sent to groups before the other process had joined them is handed out.
SETTLE_TIMEOUT = 1.0


class Leaving:
    """A connection and its handler.

    Attributes:
        is_unfinished: whether it cannot go just now, and may a moment later.
    """

    def __init__(self, departure: Departure | SessionDeparture, calls: HandlerCalls) -> None:
        self.departure = departure
        self.moved: Moved | None = None
        self.is_unfinished = False
        self._calls = calls
        self._is_paused = False

    @property
    def size(self) -> int:
        """Bytes that go with it."""
        content = None if self.moved is None else self.moved.content
        return 0 if content is None else content.size

    @property
    def is_still(self) -> bool:
        """Whether nothing of its handler is running any more."""
        if not self._is_paused:
            self._is_paused = self._calls.pause(0)
        return self._is_paused and self.departure.is_still

    def prepare(self) -> bool:
        """Take out what moves; whether that could be done. Never raises."""
        handler = name_of_class(type(self._calls.handler))
        try:
            if self.departure.has_ended:
                return False
            state = check_state(self._calls.take_state())
            facts = self._calls.find_facts()
            content = None if facts is None else self.departure.take()
            self.is_unfinished = facts is not None and content is None
            if facts is None or content is None:
                return False
            self.moved = Moved(content, handler, facts.meta, state, facts.user)
        except InvalidKeptState as error:
            logger.error("A connection of %s cannot be handed over: %s", handler, error)
        except Exception:
            log_failure("A WebSocket of %s cannot be handed over", handler)
        return self.moved is not None

    def go_on(self) -> None:
        """It stays here."""
        if self._is_paused:
            self._calls.go_on()
            self._is_paused = False
        self.departure.go_on()

    def let_go(self) -> None:
        """The other process has it."""
        self.departure.let_go()
        self._calls.leave()


class Giving:
    """The connections of one process on their way.

    Args:
        find: gives those that are open.
        deadline: until when, ``time.monotonic()``.
    """

    def __init__(
        self, find: Callable[[], Iterable[Any]], successors: Successors, deadline: float
    ) -> None:
        self._find = find
        self._successors = successors
        self._deadline = deadline
        self._patience = time.monotonic() + conf.HANDOVER_TIMEOUT
        self._tried: set[Any] = set()  # and are still here
        self.count = 0  # of those that are with others

    def give_all(self) -> bool:
        """Hand over all that can be; ``False``: nobody takes more just now."""
        while time.monotonic() < self._deadline:
            leaving = find_leaving(self._find(), self._tried)
            if not leaving:
                return True
            for start in range(0, len(leaving), BATCH):
                batch = leaving[start : start + BATCH]
                if not self._give_batch(batch):
                    self._tried -= {one.departure.websocket for one in batch}
                    return False
            unfinished = {one.departure.websocket for one in leaving if one.is_unfinished}
            if unfinished and time.monotonic() < self._patience:
                self._tried -= unfinished
                time.sleep(AGAIN)
        return True

    def _give_batch(self, batch: list[Leaving]) -> bool:
        """Hand these over, but for those that cannot be; ``False``: nobody takes any more."""
        self._tried.update(one.departure.websocket for one in batch)
        for one in batch:
            one.departure.suspend()
        wait_until_still(batch, min(self._deadline, time.monotonic() + conf.HANDOVER_TIMEOUT))
        ready = []
        for one in batch:
            if one.is_still and one.prepare():
                ready.append(one)
            else:
                one.go_on()
        while ready:
            part = take_part_of(ready)
            if not self._give(part):
                for one in [*part, *ready]:
                    one.go_on()
                return False
        return True

    def _give(self, part: list[Leaving]) -> bool:
        """Hand these over to whoever takes them."""
        body = OPEN + pack_moved([one.moved for one in part if one.moved is not None])
        found = [one.departure.descriptor for one in part]
        descriptors = [one for one in found if one is not None]
        while (sender := self._successors.next()) is not None:
            try:
                sender.offer(KIND, body, descriptors, timeout=ACCEPT_TIMEOUT)
            except PassingError as error:
                logger.warning("WebSockets stay, for process %s takes none: %s", sender.name, error)
                self._successors.give_up(sender)
                continue
            self._complete(part, sender)
            self.count += len(part)
            return True
        return False

    def _complete(self, part: list[Leaving], sender: Sender) -> None:
        """They are the other process's: tell it what has come for them here, and let go."""
        try:
            # Behind what it is doing: it has joined their groups when it answers.
            sender.offer(KIND, JOINED, timeout=RESUME_TIMEOUT)
            settle(SETTLE_TIMEOUT)
            late = [one.departure.take_late() for one in part]
            sender.offer(KIND, LATE + pack_late(late), timeout=ACCEPT_TIMEOUT)
        except PassingError as error:
            logger.warning(
                "The process %s has %d WebSockets, but not all that was sent to their groups "
                "meanwhile: %s",
                sender.name,
                len(part),
                error,
            )
            self._successors.give_up(sender)
        finally:
            for one in part:
                one.let_go()


def hand_over(find: Callable[[], Iterable[Any]], deadline: float) -> None:
    """Hand over what can be: see ``ending.Mover``."""
    if not find_leaving(find(), set()):
        return
    now = time.monotonic()
    with Successors(now + max(0.0, deadline - now) * PART) as successors:
        giving = Giving(find, successors, deadline)
        # One that was about to end itself has refused, perhaps, and others are yet to come.
        while successors.find(wait=has_successor()) and not giving.give_all():
            pass
    seconds, left = time.monotonic() - now, len(list(find()))
    logger.info("WebSockets handed over: %d in %.1f s, %d left", giving.count, seconds, left)


def find_leaving(websockets: Iterable[Any], tried: set[Any]) -> list[Leaving]:
    """Those that may go, and were not tried."""
    found = []
    for websocket in websockets:
        calls = websocket._origin
        may = isinstance(calls, HandlerCalls) and calls.is_resumable and websocket not in tried
        if not may:
            continue
        if Departure.can_move(websocket):
            found.append(Leaving(Departure(websocket), calls))
        elif SessionDeparture.can_move(websocket):
            found.append(Leaving(SessionDeparture(websocket), calls))
    return found


def take_part_of(ready: list[Leaving]) -> list[Leaving]:
    """Take the first of these out, as many as fit."""
    part = [ready.pop(0)]
    size = part[0].size
    while ready and size + ready[0].size <= BATCH_BYTES:
        size += ready[0].size
        part.append(ready.pop(0))
    return part


def wait_until_still(batch: list[Leaving], deadline: float) -> None:
    """Wait until what their handlers are doing is done. New calls do not begin."""
    for one in batch:
        while not one.is_still and time.monotonic() < deadline:
            time.sleep(PAUSE)
