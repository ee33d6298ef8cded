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
from dwebsocket.backends.restarts import find_starter, get_announced, note_successor
from dwebsocket.backends.sockets.departing import Late
from dwebsocket.conf import conf
from dwebsocket.groups import find_recent, settle
from dwebsocket.machine.passing import PassingError, Refused, Sender

from .kinds import ACCEPT_TIMEOUT, JOINED, KIND, LATE, OPEN, RESUME_TIMEOUT, SENT
from .leaving import Leaving, find_leaving
from .pace import Pace
from .records import pack_late, pack_moved
from .successors import Successors, Takers, has_died
from .waiting import Waiting

__all__ = ["hand_over"]

logger = logging.getLogger("dwebsocket.connection")

#: Bytes that go together: more is asked of one connection only.
BATCH_BYTES = 16 << 20

#: The part of the time for which another process is waited for.
PART = 0.7

#: Seconds between two looks at whether handlers have returned, and for which those of a batch wait
#: for one that has not.
PAUSE, STILL_TIMEOUT = 0.002, 0.02

#: Seconds after which those are tried again that could not go just then.
AGAIN = 0.05

#: Seconds in which what was sent to groups before the other process had joined them is handed out.
SETTLE_TIMEOUT = 1.0

DIED = (
    "The process %s has died with %d WebSockets that it had taken and not begun to serve: they go "
    "on here"
)
NOT_TOLD = (
    "The process %s has %d WebSockets, but not all that was sent to their groups meanwhile: %s"
)


class Giving:
    """The connections of one process on their way.

    Args:
        find: gives those that are open.
        deadline: until when, ``time.monotonic()``.

    Attributes:
        count: of those that are with others.
    """

    def __init__(
        self, find: Callable[[], Iterable[Any]], successors: Takers, deadline: float
    ) -> None:
        self._find = find
        self._successors = successors
        self._deadline = deadline
        self._patience = time.monotonic() + conf.HANDOVER_TIMEOUT
        self._pace = Pace()
        self._tried: set[Any] = set()  # and are still here
        self._busy: list[Leaving] = []  # suspended, and their handlers have not returned
        self.count = 0

    def give_all(self) -> bool:
        """Hand over all that can be; ``False``: nobody takes more just now."""
        while time.monotonic() < self._deadline:
            unfinished = False
            leaving = find_leaving(self._find(), self._tried)
            while leaving or self._busy:
                count = self._pace.choose(len(leaving), self._deadline - time.monotonic())
                batch, leaving = leaving[:count], leaving[count:]
                if not self._give_batch(batch):
                    return False
                unfinished = self._forget_unfinished(batch) or unfinished
                if not batch:
                    time.sleep(PAUSE)
                if time.monotonic() > self._deadline:
                    return True
            if not unfinished and not find_leaving(self._find(), self._tried):
                return True
            if unfinished:
                time.sleep(AGAIN)
        return True

    def _forget_unfinished(self, batch: list[Leaving]) -> bool:
        """Try those once more that could not go just then; whether there are any."""
        found = {one.websocket for one in batch if one.is_unfinished}
        if time.monotonic() > self._patience:
            return False
        self._tried -= found
        return bool(found)

    def _give_batch(self, batch: list[Leaving]) -> bool:
        """Hand these over, and those that were busy before, but for those that cannot be;
        ``False``: nobody takes any more.
        """
        began = time.monotonic()
        self._tried.update(one.websocket for one in batch)
        for one in batch:
            one.suspend()
        ready = [one for one in self._wait_until_still(batch) if prepare(one)]
        while ready:
            left = self._give(take_part_of(ready))
            if left:
                for one in [*left, *ready]:
                    one.go_on()
                    self._tried.discard(one.websocket)
                return False
        self._pace.note(len(batch), time.monotonic() - began)
        return True

    def _wait_until_still(self, batch: list[Leaving]) -> list[Leaving]:
        """Those whose handlers have returned. One that has not does not keep others waiting for
        long: it goes with a later batch, or stays if it takes too long.
        """
        until = time.monotonic() + STILL_TIMEOUT
        running = [one for one in batch if not one.is_still]
        while running and time.monotonic() < until:
            time.sleep(PAUSE)
            running = [one for one in running if not one.is_still]
        still = [one for one in batch if one not in running]
        patience = time.monotonic() - conf.HANDOVER_TIMEOUT
        for one in [*self._busy, *running]:
            if one.is_still:
                still.append(one)
            elif one.since > patience and not one.has_ended:
                if one in running:
                    self._busy.append(one)
                continue
            else:
                one.go_on()
            if one in self._busy:
                self._busy.remove(one)
        return still

    def _give(self, part: list[Leaving]) -> list[Leaving]:
        """Hand these over to whoever takes them; those that nobody does."""
        body = OPEN + pack_moved([one.moved for one in part if one.moved is not None])
        descriptors = [one.descriptor for one in part if one.descriptor is not None]
        while (sender := self._successors.next()) is not None:
            try:
                sender.offer(KIND, body, descriptors, timeout=ACCEPT_TIMEOUT)
            except PassingError as error:
                half = len(part) // 2
                if half and isinstance(error, Refused):  # there is room for some, perhaps
                    return self._give(part[:half]) + self._give(part[half:])
                logger.warning("WebSockets stay, for process %s takes none: %s", sender.name, error)
                self._successors.give_up(sender)
                continue
            self._complete(part, sender)
            return []
        return part

    def _complete(self, part: list[Leaving], sender: Sender) -> None:
        """They are the other process's: tell it what has come for them here, and let go."""
        late: list[Late | None] = [None] * len(part)
        try:
            # Behind what it is doing: it has joined their groups when it answers.
            sender.ask(KIND, JOINED, timeout=RESUME_TIMEOUT)
            self._successors.ask_others(sender, SENT, ACCEPT_TIMEOUT)
            settle(SETTLE_TIMEOUT)
            # First: what is handed out after this look is among what is late.
            recent, count = find_recent(self._successors.told[sender])
            told = [one.take_late() for one in part]
            late = [*told]
            sender.ask(KIND, LATE + pack_late(told, recent), timeout=ACCEPT_TIMEOUT)
            self._successors.told[sender] = count
        except PassingError as error:
            self._successors.give_up(sender)
            if has_died(sender):  # and has neither read nor written anything
                logger.warning(DIED, sender.name, len(part))
                for one, what in zip(part, late, strict=True):
                    one.go_on(what)
                    self._tried.discard(one.websocket)
                return
            logger.warning(NOT_TOLD, sender.name, len(part), error)
        for one in part:
            one.let_go()
            self._tried.discard(one.websocket)
        self.count += len(part)

    def end(self) -> None:
        """Nothing goes any more."""
        for one in self._busy:
            one.go_on()
        self._busy.clear()


def hand_over(find: Callable[[], Iterable[Any]], deadline: float) -> None:
    """Hand over what can be: see ``ending.Mover``."""
    if get_announced() is None and not find_leaving(find(), set()):
        return
    now = time.monotonic()
    with find_takers(now + max(0.0, deadline - now) * PART) as successors:
        giving = Giving(find, successors, deadline)
        try:
            # One that was about to end itself has refused, perhaps, and others are yet to come.
            while successors.find(wait=has_successor()) and not giving.give_all():
                pass
        finally:
            giving.end()
    seconds, left = time.monotonic() - now, len(list(find()))
    logger.info("WebSockets handed over: %d in %.1f s, %d left", giving.count, seconds, left)


def find_takers(until: float) -> Takers:
    """The processes that go on.

    Args:
        until: when they must be there, ``time.monotonic()``.
    """
    starter, announced = find_starter(), get_announced()
    if starter is not None:
        return Waiting(starter)
    successors = Successors(until, since=announced)
    if announced is not None and successors.find(wait=False):
        note_successor()
    return successors


def prepare(leaving: Leaving) -> bool:
    """Take out what moves; otherwise it stays."""
    is_ready = leaving.prepare()
    if not is_ready:
        leaving.go_on()
    return is_ready


def take_part_of(ready: list[Leaving]) -> list[Leaving]:
    """Take the first of these out, as many as fit."""
    part = [ready.pop(0)]
    size = part[0].size
    while ready and size + ready[0].size <= BATCH_BYTES:
        size += ready[0].size
        part.append(ready.pop(0))
    return part
