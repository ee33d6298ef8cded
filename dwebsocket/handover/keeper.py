"""The process that keeps connections until another one of the site runs: ``python -m
dwebsocket.handover.keeper``, started by one that ends. It gives them away as soon as there is
somebody, and ends; who is left over is told to come again.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import time
from typing import Any

from django.conf import settings

from dwebsocket.conf import conf
from dwebsocket.machine.passing import (
    PassingError,
    Refused,
    add_fact,
    add_kind,
    get_name,
    listen,
)
from dwebsocket.protocol.frames import CloseCode

from .closing import close_connections
from .keeping import Batch, Keeping, Shelf
from .kinds import ACCEPT_TIMEOUT, FACT, JOINED, KIND, RESUME_TIMEOUT
from .records import InvalidRecord
from .successors import Successors, Takers, has_died

__all__ = ["Keeper", "main"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds between two looks at who is there.
PAUSE = 0.05

#: Seconds in which the first connections come.
START = 60.0

#: The part of the time in which only processes take over that are younger than this one.
PART = 0.5


class Keeper:
    """Gives away what comes.

    Args:
        starter: the pid of the process that starts those to which connections can go.
    """

    def __init__(self, starter: int) -> None:
        self.shelf = Shelf()
        self.is_told_to_end = False
        self._starter = starter
        self._began = time.monotonic()

    def receive(self) -> Keeping:
        """Keep what comes over one more connection."""
        return Keeping(self.shelf)

    def run(self) -> None:
        """Until nothing is here any more."""
        while self.shelf.is_over and time.monotonic() < self._began + START:
            time.sleep(PAUSE)
        with Successors(0.0, since=self._began) as successors:
            while not self.shelf.is_over:
                code = self._find_end()
                if code is not None:
                    self._close_all(code)
                    return
                if time.monotonic() > self.shelf.changed + conf.HANDOVER_TIMEOUT * PART:
                    successors.since = None
                if not (successors.find(wait=False) and self.give_all(successors)):
                    time.sleep(PAUSE)

    def _find_end(self) -> int | None:
        """The close code, if nobody is waited for any more."""
        if self.is_told_to_end or not is_alive(self._starter):
            return CloseCode.GOING_AWAY
        is_late = time.monotonic() > self.shelf.changed + conf.HANDOVER_TIMEOUT
        return CloseCode.SERVICE_RESTART if is_late and not self.shelf.givers else None

    def give_all(self, successors: Takers) -> bool:
        """Give away what is here; whether that was something."""
        gave = False
        while (batch := self.shelf.take()) is not None:
            if not self._give(batch, successors):
                self.shelf.put_back(batch)
                break
            gave = True
        return gave

    def _give(self, batch: Batch, successors: Takers) -> bool:
        """Whether somebody has taken it, or it is in two parts now."""
        successors.refresh()
        while (sender := successors.next()) is not None:
            try:
                sender.offer(KIND, batch.body, batch.descriptors, timeout=ACCEPT_TIMEOUT)
            except PassingError as error:
                if isinstance(error, Refused) and self._split(batch):
                    return True  # there is room for some, perhaps
                logger.warning("WebSockets wait, for process %s takes none: %s", sender.name, error)
                successors.give_up(sender)
                continue
            try:
                sender.ask(KIND, JOINED, timeout=RESUME_TIMEOUT)
                if batch.late is not None:
                    sender.ask(KIND, batch.late, timeout=ACCEPT_TIMEOUT)
            except PassingError as error:
                successors.give_up(sender)
                if has_died(sender):  # and has neither read nor written anything
                    continue
                logger.warning("The process %s has not heard all: %s", sender.name, error)
            batch.close()
            return True
        return False

    def _split(self, batch: Batch) -> bool:
        try:
            halves = batch.split()
        except InvalidRecord:
            return False
        for half in reversed(halves or ()):
            self.shelf.put_back(half)
        return halves is not None

    def _close_all(self, code: int) -> None:
        left: list[tuple[int, bytes]] = []
        while (batch := self.shelf.take()) is not None:
            try:
                left += list(batch.find_unsent())
            except InvalidRecord as error:
                logger.warning("WebSockets are cut, for their state is not known: %s", error)
                batch.close()
        logger.warning("WebSockets closed that no process has taken over: %d", len(left))
        close_connections(left, code)


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True


def main() -> None:
    """Keep what comes; the first line of the output is the name by which it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_directory")
    parser.add_argument("starter", type=int)
    parser.add_argument("timeout", type=float)
    options = parser.parse_args()
    settings.configure(
        WEBSOCKET_RUN_DIR=options.run_directory, WEBSOCKET_HANDOVER_TIMEOUT=options.timeout
    )
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    keeper = Keeper(options.starter)

    def end(*_: Any) -> None:
        keeper.is_told_to_end = True

    signal.signal(signal.SIGTERM, end)
    add_kind(KIND, keeper.receive)
    add_fact(FACT, lambda: {"began": 0.0, "ends": 0.0, "replaced": False})
    listen()
    try:
        print(get_name() or "", flush=True)
    except BrokenPipeError:  # who has started this one has gone
        return
    keeper.run()


if __name__ == "__main__":
    main()
