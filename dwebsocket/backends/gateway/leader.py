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

from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import Service, log_failure, log_now_and_then
from dwebsocket.transports.thread_loop import ALL_BUSY, MAX_WORKERS

from .link import Link
from .wire import Packet

__all__ = ["FOREIGN", "Leader"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds after which a call is slow, and somebody else reads.
SLOW = 0.005

#: Looks at the clock without a call, after which nobody looks any more.
QUIET_LOOKS = 20

FOREIGN = "A packet was dropped that is none of the gateway's front"

#: Guards who leads; held for an instant.
lock = threading.Lock()

Work = Callable[[], None]


class Leader:
    """Reads from the front, and calls those for whom something has come.

    Args:
        take_in: what is done with each packet.
    """

    def __init__(self, link: Link, take_in: Callable[[Packet], None]) -> None:
        self._link = link
        self._take_in = take_in
        self._ready: deque[Work] = deque()  # calls that are to be made
        self._threads = Threads(MAX_WORKERS, "dwebsocket-gateway")
        self._leads = 0  # the thread that reads
        self._turn = 0
        self._in_call = self._quiet = False
        self._alarm = threading.Condition()
        self._pace = Service(self._look_after, "dwebsocket-gateway-pace")

    def start(self) -> None:
        """Read from now on."""
        self._threads.start(self._lead)

    def call(self, work: Work) -> None:
        """Make this call soon: in the running thread, if it leads, behind the packets that have
        come. From any thread.
        """
        if self._leads == threading.get_ident():
            self._ready.append(work)
            if self._leads == threading.get_ident():
                return
            work = self._call_all  # somebody else has begun to lead, and may not have seen it
        try:
            self._threads.start(work)
        except NoThread:  # whoever leads does it, after the next packet
            self._ready.append(work)

    def _call_all(self) -> None:
        while self._ready:
            try:
                work = self._ready.popleft()
            except IndexError:  # somebody else was quicker
                return
            work()

    def _lead(self) -> None:
        me = self._leads = threading.get_ident()
        while self._leads == me:
            if not self._ready:
                try:
                    packets = self._link.receive()
                except ValueError:
                    log_now_and_then("gateway", FOREIGN)
                    continue
                if packets is None:
                    self._leads = 0
                    return
                for packet in packets:
                    self._take_in(packet)
            self._call_ready(me)

    def _call_ready(self, me: int) -> None:
        ready, link = self._ready, self._link
        if not ready:
            return
        link.start_gathering()
        self._pace.ensure()
        while ready and self._leads == me:
            try:
                work = ready.popleft()
            except IndexError:
                break
            self._turn += 1
            self._in_call = True
            if self._quiet:
                self._wake_alarm()
            try:
                work()
            except Exception:
                log_failure("A WebSocket failed")
            with lock:
                if self._leads == me:
                    self._in_call = False
        if self._leads == me:
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
            leads, self._leads = self._leads, 0
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
