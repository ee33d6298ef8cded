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
from itertools import zip_longest
from typing import Any

from dwebsocket.backends.sockets.departing import Late
from dwebsocket.conf import conf
from dwebsocket.groups import find_recent, settle
from dwebsocket.machine.passing import PassingError, Refused, Sender
from dwebsocket.supervisor import log_failure

from .kinds import ACCEPT_TIMEOUT, JOINED, KIND, LATE, OPEN, RESUME_TIMEOUT, SENT
from .leaving import Leaving, find_leaving, has_beginning
from .pace import Pace
from .records import pack_late, pack_moved
from .successors import Takers, has_died

__all__ = ["Giving"]

logger = logging.getLogger("dwebsocket.connection")

#: Bytes that go together: more is asked of one connection only.
BATCH_BYTES = 16 << 20

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
        self._suspended: set[Leaving] = set()
        self._busy: list[Leaving] = []  # of these, whose handlers have not returned
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
            if unfinished or self._is_one_beginning():
                time.sleep(AGAIN)
            elif not find_leaving(self._find(), self._tried):
                return True
        return True

    def _is_one_beginning(self) -> bool:
        """Whether one may be able to go when its opening is over."""
        is_patient = time.monotonic() < self._patience
        return is_patient and has_beginning(self._find(), self._tried)

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
        self._successors.refresh()  # first: it may take a moment
        began = time.monotonic()
        self._tried.update(one.websocket for one in batch)
        self._suspended.update(batch)
        suspended = [one for one in batch if self._suspend(one)]
        ready = [one for one in self._wait_until_still(suspended) if self._prepare(one)]
        while ready:
            left = self._give(take_part_of(ready))
            if left:
                for one in [*left, *ready]:
                    self._go_on(one)
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
                self._go_on(one)
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
        late: list[Late] = []
        stay = False
        try:
            self._tell_late(part, sender, late)
        except PassingError as error:
            self._successors.give_up(sender)
            stay = has_died(sender)  # and has neither read nor written anything
            if stay:
                logger.warning(DIED, sender.name, len(part))
            else:
                logger.warning(NOT_TOLD, sender.name, len(part), error)
        except Exception:  # they are the other's all the same
            self._successors.give_up(sender)
            log_failure(NOT_TOLD, sender.name, len(part), "of an error here")
        finally:
            for one, what in zip_longest(part, late):
                self._go_on(one, what) if stay else self._let_go(one)
                self._tried.discard(one.websocket)

    def _tell_late(self, part: list[Leaving], sender: Sender, late: list[Late]) -> None:
        """Have the other process go on with them.

        Args:
            late: to which is added what has come for them here.

        Raises:
            PassingError: it has not heard all.
        """
        # Behind what it is doing: it has joined their groups when it answers.
        sender.ask(KIND, JOINED, timeout=RESUME_TIMEOUT)
        self._successors.ask_others(sender, SENT, ACCEPT_TIMEOUT)
        settle(SETTLE_TIMEOUT)
        # First: what is handed out after this look is among what is late.
        recent, count = find_recent(self._successors.told[sender])
        late += [one.take_late() for one in part]
        sender.ask(KIND, LATE + pack_late(late, recent), timeout=ACCEPT_TIMEOUT)
        self._successors.told[sender] = count

    # Each is suspended, and then it goes on here or goes

    def _suspend(self, one: Leaving) -> bool:
        if one.suspend():
            return True
        self._suspended.discard(one)
        return False

    def _prepare(self, one: Leaving) -> bool:
        """Take out what moves; otherwise it stays."""
        is_ready = one.prepare()
        if not is_ready:
            self._go_on(one)
        return is_ready

    def _go_on(self, one: Leaving, late: Late | None = None) -> None:
        self._suspended.discard(one)
        one.go_on(late)

    def _let_go(self, one: Leaving) -> None:
        self._suspended.discard(one)
        one.let_go()
        self.count += 1

    def end(self) -> None:
        """Nothing goes any more, for whatever reason."""
        for one in list(self._suspended):
            self._go_on(one)
        self._busy.clear()


def take_part_of(ready: list[Leaving]) -> list[Leaving]:
    """Take the first of these out, as many as fit."""
    part = [ready.pop(0)]
    size = part[0].size
    while ready and size + ready[0].size <= BATCH_BYTES:
        size += ready[0].size
        part.append(ready.pop(0))
    return part
