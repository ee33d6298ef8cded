"""Who takes connections over: the processes of this site that listen, and do not end themselves."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

from dwebsocket.backends.gunicorn_worker import has_starting, has_successor
from dwebsocket.backends.sockets import ending
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.machine.passing import (
    NoAnswer,
    PassingError,
    Sender,
    find_others,
    find_passing_directory,
    get_name,
)

from .kinds import FACT, KIND, READY

__all__ = ["Successors", "Takers", "has_died"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds in which a process must say hello, and has loaded what the first request loads.
PATIENCE, LOAD_TIMEOUT = 2.0, 15.0

#: Seconds between two looks.
PAUSE = 0.05

#: Seconds in which a process that hangs up has ended, if it does.
DEATH = 1.0


class Takers(Protocol):
    """Processes to which connections go, in turns. A context manager.

    Attributes:
        told: of how many messages of groups each has been told: see ``groups.find_recent``.
    """

    told: dict[Sender, int]

    def find(self, *, wait: bool) -> bool:
        """Whether there is one; with ``wait``, or there may be one soon."""
        ...

    def refresh(self) -> None:
        """Others may have come meanwhile: look for them, now and then."""

    def next(self) -> Sender | None:
        """The one whose turn it is; ``None``: there is none any more."""
        ...

    def give_up(self, sender: Sender) -> None:
        """This one does not take more."""

    def ask_others(self, sender: Sender, question: bytes, timeout: float) -> None:
        """Ask all but this one; who does not answer takes nothing more. Never raises."""

    def __enter__(self) -> Takers: ...
    def __exit__(self, *args: Any) -> None: ...


class Successors:
    """Those that there are: see ``Takers``.

    Args:
        deadline: until when one is waited for, ``time.monotonic()``.

    Attributes:
        since: those that began earlier do not count, ``time.monotonic()``; ``None``: all do.
    """

    def __init__(self, deadline: float, since: float | None = None) -> None:
        self.since = since
        self._deadline = deadline
        self._stack = ExitStack()
        self._senders: list[Sender] = []
        self._failed: set[str] = set()
        self._old: set[str] = set()  # too old while ``since`` says so
        self._looked = 0.0
        self.told: dict[Sender, int] = {}
        self._ending: set[int] = set()
        self._is_slow = False  # one has not answered yet
        self._expects_another = False  # in the place of one that ends before us

    def __enter__(self) -> Successors:
        return self

    def __exit__(self, *args: object) -> None:
        self._stack.close()

    def find(self, *, wait: bool) -> bool:
        """See ``Takers``."""
        while not self._look():
            may_come = (wait and not self._failed) or self._may_come()
            if not may_come or time.monotonic() > self._deadline:
                return False
            time.sleep(PAUSE)
        return True

    def _may_come(self) -> bool:
        """Whether one will that there is not yet: it is slow, or waits for a place, or is still
        loading the site.
        """
        if self._is_slow or (self._expects_another and not has_successor()):
            return True
        if get_name() is None:  # the others do not listen either
            return False
        return has_starting({pid_of(name) for name in find_others()}, self._ending)

    def _look(self) -> bool:
        self._looked = time.monotonic()
        self._is_slow = False
        known = {one.name for one in self._senders} | self._failed
        if self.since is not None:
            known |= self._old
        found: list[Sender] = []
        for name in find_others():
            if name not in known:
                found += self._connect(name)
        # The youngest first: it has fewer than others, and is there for longer.
        self._senders += sorted(found, key=lambda one: -one.hello[FACT]["began"])
        return bool(self._senders)

    def _connect(self, name: str) -> Iterator[Sender]:
        try:
            sender = Sender(find_passing_directory(), name, timeout=PATIENCE)
        except NoAnswer:
            self._is_slow = True
            return
        except (PassingError, OSError, InvalidGroupBackend):
            return
        fact: Any = sender.hello.get(FACT)
        if not is_fact(fact):
            sender.close()
        elif fact["ends"] is not None:
            sender.close()
            self._ending.add(pid_of(name))
            self._expects_another = self._expects_another or is_replaced(fact)
        elif self.since is not None and fact["began"] < self.since:
            sender.close()
            self._old.add(name)
        elif not fact.get("loaded"):  # it listens from the beginning on
            sender.close()
            self._is_slow = True
        elif self._is_ready(sender):
            yield sender

    def _is_ready(self, sender: Sender) -> bool:
        self._stack.enter_context(sender)
        try:
            sender.ask(KIND, READY, timeout=LOAD_TIMEOUT)
        except PassingError as error:  # a site that cannot be loaded takes nothing
            logger.warning("WebSockets stay, for process %s takes none: %s", sender.name, error)
            self._failed.add(sender.name)
            return False
        self.told[sender] = 0
        return True

    def refresh(self) -> None:
        """See ``Takers``."""
        if time.monotonic() > self._looked + PAUSE:
            self._look()

    def next(self) -> Sender | None:
        """The one whose turn it is; ``None``: there is none any more."""
        if not self._senders:
            return None
        sender = self._senders.pop(0)
        self._senders.append(sender)
        return sender

    def ask_others(self, sender: Sender, question: bytes, timeout: float) -> None:
        """Ask all but this one; who does not answer takes nothing more. Never raises."""
        for one in [one for one in self._senders if one is not sender]:
            try:
                one.ask(KIND, question, timeout=timeout)
            except PassingError:
                self.give_up(one)

    def give_up(self, sender: Sender) -> None:
        """This one does not take more."""
        self._failed.add(sender.name)
        self._senders.remove(sender)
        sender.close()


def pid_of(name: str) -> int:
    """Of the process that listens under this name."""
    return int(name.partition(".")[0])


def is_fact(fact: Any) -> bool:
    """Whether it is what ``process.describe`` says."""
    return isinstance(fact, dict) and isinstance(fact.get("began"), float) and "ends" in fact


def is_replaced(fact: dict[str, Any]) -> bool:
    """Whether a process that ends before this one makes room for another."""
    ours = ending.get_begin()
    return bool(fact.get("replaced")) and ours is not None and fact["ends"] < ours


def has_died(sender: Sender) -> bool:
    """Whether the process that has hung up has ended, and not only its connection. Never raises."""
    until = time.monotonic() + DEATH
    try:
        while find_passing_directory().is_alive(sender.name):
            if time.monotonic() > until:
                return False
            time.sleep(PAUSE)
    except (OSError, InvalidGroupBackend):
        return False
    return True
