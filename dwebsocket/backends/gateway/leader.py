"""Who reads from the front, and calls handlers.

In the usual case the thread that reads also calls, one handler after the other, so that nothing is
handed over. When a call lasts longer than ``SLOW`` another thread takes over the reading, and goes
on with those that wait; the slow one finishes its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Protocol

from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import Service
from dwebsocket.transports.thread_loop import ALL_BUSY, MAX_WORKERS

from .link import Link

__all__ = ["Leader", "Working"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds after which a call is slow, and somebody else reads.
SLOW = 0.005

#: Looks at the clock without a call, after which nobody looks any more.
QUIET_LOOKS = 20

#: Guards who leads; held for an instant.
lock = threading.Lock()


class Working(Protocol):
    """The calls of one connection."""

    def work(self) -> bool:
        """Make some of them; whether there is more to tell."""
        ...


class Leader:
    """Reads from the front, and calls those for whom something has come.

    Attributes:
        ready: those who have something to tell their handlers.

    Args:
        take_in: what is done with each packet.
    """

    def __init__(self, link: Link, take_in: Callable[[bytes], None]) -> None:
        self._link = link
        self._take_in = take_in
        self.ready: deque[Working] = deque()
        self._threads = Threads(MAX_WORKERS, "dwebsocket-gateway")
        self._leads: object | None = None
        self._turn = 0
        self._in_call = self._quiet = False
        self._alarm = threading.Condition()
        self._pace = Service(self._look_after, "dwebsocket-gateway-pace")

    def start(self) -> None:
        """Read from now on."""
        self._threads.start(self._lead)

    def call_beside(self, calls: Working) -> None:
        """Have a thread call these now. From any thread."""
        try:
            self._threads.start(lambda: self._work_through(calls))
        except NoThread:  # whoever leads does it, after the next packet
            self.ready.append(calls)

    def _work_through(self, calls: Working) -> None:
        while calls.work():
            pass

    def _lead(self) -> None:
        me = self._leads = object()
        ready, link = self.ready, self._link
        while self._leads is me:
            if not ready:
                packets = link.receive()
                if not packets:
                    self._leads = None
                    return
                for data in packets:
                    self._take_in(data)
            self._call_ready(me)

    def _call_ready(self, me: object) -> None:
        ready, link = self.ready, self._link
        link.start_gathering()
        while ready and self._leads is me:
            try:
                calls = ready.popleft()
            except IndexError:
                break
            self._turn += 1
            self._in_call = True
            if self._quiet:
                self._wake_alarm()
            self._pace.ensure()
            more = calls.work()
            with lock:
                still = self._leads is me
                if still:
                    self._in_call = False
            if more and still:
                ready.append(calls)
            elif more:
                self._work_through(calls)
        if self._leads is me:
            link.stop_gathering()

    def _wake_alarm(self) -> None:
        with self._alarm:
            self._quiet = False
            self._alarm.notify()

    def _look_after(self) -> None:
        """Find calls that are slow, and have somebody else lead; sleep while nothing happens."""
        looks = 0
        while True:
            turn = self._turn
            time.sleep(SLOW)
            if self._turn != turn:
                looks = 0
            elif self._in_call:
                looks = 0
                self._relieve(turn)
            elif (looks := looks + 1) >= QUIET_LOOKS:
                self._rest()
                looks = 0

    def _relieve(self, turn: int) -> None:
        with lock:
            if not self._in_call or self._turn != turn:
                return
            self._in_call = False
            leads, self._leads = self._leads, None
        self._link.stop_gathering()  # others do not wait for the slow one
        try:
            self._threads.start(self._lead)
        except NoThread:  # then it goes on when its call is done
            with lock:
                self._leads, self._in_call = leads, True
            log_all_busy()

    def _rest(self) -> None:
        with self._alarm:
            self._quiet = True
            if self._in_call:
                self._quiet = False
            while self._quiet:
                self._alarm.wait()


@cache
def log_all_busy() -> None:
    """Say once that there are too few threads for the calls of handlers."""
    logger.warning(ALL_BUSY, MAX_WORKERS)
