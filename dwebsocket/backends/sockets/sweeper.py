"""The WebSockets that are open in this process, and the sweeper, which looks after all of them.

A sweeper pings peers that are silent, drops those that stay so, and says 1001 to everybody when
the server is told to end. There is one in a process (one for each way of waiting, should a process
mix them), started with the first connection.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, TypeVar

from dwebsocket.backends import live, restarts, room, view_threads
from dwebsocket.backends.sockets import ending
from dwebsocket.backends.uwsgi_worker import call_at_end
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import Service, log_failure, start_missing, try_start
from dwebsocket.transports import Transport

__all__ = [
    "Sweeper",
    "add",
    "count",
    "discard",
    "expect",
    "expect_restart",
    "find_sweeper",
    "get_exit_code",
    "give_up",
    "is_answering",
    "watch_deadline",
]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds between two looks at whether the server ends, and at most between two at the peers.
STOP_INTERVAL = 0.5
MAX_INTERVAL = 5.0

#: Seconds that peers have to answer the Close that says the server ends.
GRACE = 1.0

#: Seconds without any connection after which a sweeper ends.
IDLE_TIMEOUT = 30.0

#: Connections looked at before others get a turn.
BATCH = 500


class Connection(Protocol):
    """What can be given up."""

    @property
    def _transport(self) -> Transport: ...
    def _lose(self, reason: str) -> None: ...


class Timed(Connection, Protocol):
    """Something must have happened at a certain time."""

    def check_deadline(self, now: float) -> bool: ...


class Swept(Connection, Protocol):
    """An open WebSocket."""

    @property
    def close_reason(self) -> str | None: ...
    @property
    def _is_left_to_session(self) -> bool: ...
    def _get_stop_code(self) -> int | None: ...
    def _go_away(self, code: int) -> None: ...
    def _end_view(self) -> None: ...
    def _sweep(self, now: float, interval: float | None, timeout: float | None) -> bool: ...


class Sweeper:
    """Looks after the connections of one process and one way of waiting.

    Attributes:
        connections: those that are open.
        dropped: how many peers were dropped because they did not answer a Ping.
    """

    def __init__(self, start: Callable[..., None], sleep: Callable[[float], None]) -> None:
        self.connections: set[Swept] = set()
        self.dropped = 0
        self.timed: set[Timed] = set()
        self.service = Service(self.run, "dwebsocket-sweeper", start, sleep)
        self._sleep = sleep
        self._start = start
        self._lock = threading.Lock()  # held for an instant
        self._stopping = self._leaves = self._has_left = False
        self._swept = 0.0

    def add(self, websocket: Swept) -> None:
        """Look after this connection, too."""
        self.connections.add(websocket)
        self.service.ensure()

    def run(self) -> None:
        """Sweep until there has been nothing to do for a while."""
        busy = monotonic()
        while True:
            self._sleep(min(STOP_INTERVAL, self._interval()))
            start_missing()
            now = monotonic()
            for websocket in list(self.timed):
                self.timed.discard(websocket)  # first: it may be added anew at any moment
                if not look_after(websocket, websocket.check_deadline, now, failed=True):
                    self.timed.add(websocket)
            if self.connections or self.timed:
                busy = now
                self._sweep_all(now)
            elif now - busy > IDLE_TIMEOUT and self.service.end(self._is_needed):
                return

    def _is_needed(self) -> bool:
        return bool(self.connections or self.timed)

    @staticmethod
    def _interval() -> float:
        times = [time for time in (conf.PING_INTERVAL, conf.PING_TIMEOUT) if time is not None]
        return min(MAX_INTERVAL, max(0.05, min(times, default=MAX_INTERVAL) / 8))

    def _sweep_all(self, now: float) -> None:
        websockets = list(self.connections)
        code = None if self._stopping or not websockets else websockets[0]._get_stop_code()
        if code is not None:
            self._leave_soon(code)
        if now - self._swept < self._interval():
            return
        self._swept = now
        interval, timeout = conf.PING_INTERVAL, conf.PING_TIMEOUT
        for number, websocket in enumerate(websockets, 1):
            if look_after(websocket, websocket._sweep, now, interval, timeout, failed=False):
                self.dropped += 1
                logger.info("WebSocket dropped: %s", websocket.close_reason)
            if number % BATCH == 0:
                self._sleep(0)

    def leave_soon(self, code: int) -> bool:
        """The server has been told to end: see to what is open beside what is done here, once;
        whether that has been done.
        """
        if not self._stopping:
            self._leave_soon(code)
        return self._has_left

    def _leave_soon(self, code: int) -> None:
        self._stopping = True

        def leave() -> None:
            self.leave(code)
            self._sleep(GRACE)
            for websocket in list(self.connections):
                websocket._transport.shutdown()

        if try_start(leave, "dwebsocket-ending", self._start, self._sleep) is None:
            leave()

    def leave(self, code: int) -> None:
        """Hand over to another process what can be, and tell the others; once. Whoever comes second
        waits until it is done.
        """
        with self._lock:
            is_first, self._leaves = not self._leaves, True
        if not is_first:
            while not self._has_left:
                self._sleep(0.01)
            return
        self._stopping = True
        try:
            ending.move(self._find_all)
            if ending.has_successor():
                code = CloseCode.SERVICE_RESTART
            ending.drain(
                self._find_all,
                lambda websocket: look_after(websocket, websocket._go_away, code, failed=None),
                self._sleep,
            )
            self.send_going_away(code)
        finally:
            self._has_left = True

    def _find_all(self) -> list[Any]:
        return ending.find_all(list(self.connections))

    def send_going_away(self, code: int) -> None:
        """Send a Close to everybody, without waiting."""
        for websocket in self._find_all():
            look_after(websocket, websocket._go_away, code, failed=None)

    def wait_for_ends(self) -> None:
        """Give views and handlers a moment to end: when their peer has answered, or without."""
        self._wait_for_ends(GRACE)
        for websocket in list(self.connections):
            websocket._transport.shutdown()
            websocket._end_view()
        self._wait_for_ends(GRACE / 2)

    def _wait_for_ends(self, seconds: float) -> None:
        until = monotonic() + seconds
        while (self.connections or view_threads.running) and monotonic() < until:
            self._sleep(0.01)


Result = TypeVar("Result")


def look_after(
    websocket: Connection, call: Callable[..., Result], *args: Any, failed: Result
) -> Result:
    """What the call returns; ``failed`` if it raises, which is the end of this connection alone."""
    try:
        return call(*args)
    except Exception:
        log_failure("A WebSocket cannot be looked after, and is closed")
        try:
            websocket._lose("of an error that is logged")
        except Exception:
            log_failure("A WebSocket that failed cannot be closed")
        return failed


#: The close code for the interpreter's end (RFC 6455, 7.4.1, and IANA's registry).
exit_code: int = CloseCode.GOING_AWAY


def get_exit_code() -> int:
    """The close code for the end of the interpreter."""
    return exit_code if restarts.find_starter() is None else CloseCode.SERVICE_RESTART


def expect_restart(**kwargs: Any) -> None:
    """Say 1012 at the end of the interpreter: Django's autoreloader starts it anew."""
    global exit_code
    exit_code = CloseCode.SERVICE_RESTART
    restarts.expect()


#: By the function that starts one: threads, gevent and eventlet have one each.
sweepers: dict[Any, Sweeper] = {}


def add(websocket: Swept) -> None:
    """Look after a connection from now on."""
    sweeper = get_sweeper(websocket._transport)
    with coming_lock:
        sweeper.add(websocket)
        coming.discard(websocket)


def get_sweeper(transport: Transport) -> Sweeper:
    """The one for connections that wait in this way."""
    return find_sweeper(transport.start, transport.sleep)


def find_sweeper(start: Callable[..., None], sleep: Callable[[float], None]) -> Sweeper:
    """The one for what waits in this way, as ``Sweeper`` has it."""
    sweeper = sweepers.get(start)
    if sweeper is None:
        sweeper = sweepers.setdefault(start, Sweeper(start, sleep))
        call_at_end(send_going_away)
    return sweeper


def watch_deadline(websocket: Timed) -> None:
    """Ask it now and then whether its time is up."""
    sweeper = get_sweeper(websocket._transport)
    sweeper.timed.add(websocket)
    sweeper.service.ensure()


def discard(websocket: Swept) -> None:
    """Look after a connection no more: it has ended."""
    sweeper = sweepers.get(websocket._transport.start)
    if sweeper is not None:
        sweeper.connections.discard(websocket)


def is_answering() -> bool:
    """Whether the time of something is running, as of an answer that is being written."""
    now = monotonic()
    timed = (one for sweeper in sweepers.values() for one in list(sweeper.timed))
    return any(not look_after(one, one.check_deadline, now, failed=True) for one in timed)


def count() -> int:
    """How many WebSockets are open in this process."""
    return sum(len(sweeper.connections) for sweeper in sweepers.values())


def find_all() -> list[Swept]:
    """The WebSockets that are open in this process."""
    return [one for sweeper in list(sweepers.values()) for one in list(sweeper.connections)]


live.sources.append(find_all)


#: Those that are about to be accepted: each is in here or with a sweeper, and counts once.
coming: set[Swept] = set()
coming_lock = threading.Lock()


def expect(websocket: Swept, default: int | None = None, others: int = 0) -> None:
    """Count a WebSocket that is going to be accepted, until ``add`` or ``give_up``.

    Args:
        default: see ``room.check_room``.
        others: how many are open besides those of sweepers.

    Raises:
        NoRoom: this process may hold no further one; see ``room.check_room``.
    """
    with coming_lock:
        room.check_room(count() + len(coming) + others, default)
        coming.add(websocket)


def give_up(websocket: Swept) -> None:
    """Count it no more if it has not been accepted."""
    with coming_lock:
        coming.discard(websocket)


def forget() -> None:
    """Forget the parent's connections in a forked child."""
    global coming_lock
    coming_lock = threading.Lock()
    coming.clear()
    sweepers.clear()


@atexit.register
def send_going_away() -> None:
    """The interpreter ends while connections are open: say so, and let views hear of it."""
    for sweeper in sweepers.values():
        for websocket in list(sweeper.connections)[:1]:
            sweeper.leave(websocket._get_stop_code() or get_exit_code())
            sweeper.wait_for_ends()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
