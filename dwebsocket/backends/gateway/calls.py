"""Where the methods of handlers are called.

In the usual case by the thread that reads from the front, one after the other, so that nothing is
handed over. When a call lasts longer than ``SLOW`` another thread takes over the reading, and goes
on with those that wait; the slow one finishes its own. With ``--threaded`` and ``--gevent`` each
connection has a thread or a greenlet to itself, which may be busy for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Protocol

from dwebsocket.backends import view_threads
from dwebsocket.backends.listening import Listener
from dwebsocket.protocol.state import ConnectionState
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import Service, log_failure
from dwebsocket.transports.thread_loop import ALL_BUSY, MAX_WORKERS

from .inbox import Received
from .link import Link

__all__ = ["Called", "Calls", "Leader", "OwnThread"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds after which a call is slow, and somebody else reads.
SLOW = 0.005

#: Looks at the clock without a call, after which nobody looks any more.
QUIET_LOOKS = 20

#: Messages of one connection in a row, before others have their turn.
MAX_IN_A_ROW = 16

#: Guards what each connection's calls are doing; held for an instant.
lock = threading.Lock()


class Called(Protocol):
    """The WebSocket whose handler is called."""

    @property
    def _state(self) -> ConnectionState: ...

    @property
    def _has_something(self) -> bool:
        """Whether there is something to tell: a message, or the end."""
        ...

    def _take(self) -> Received | None:
        """The next message for the handler, if it is still wanted."""
        ...

    def _take_blocking(self) -> Received | None:
        """The same; waits for it, or for the end."""
        ...

    def _begin_work(self, received: Received) -> None:
        """The handler is about to be told."""

    def _end_work(self, received: Received) -> None:
        """It has been told."""

    def _fail(self) -> None:
        """A call has failed in a way that nobody expected: end the connection."""


class Calls:
    """Calls the listener of one connection: never two calls at once.

    Attributes:
        is_frozen: no further call begins: somebody else is going to make them.
    """

    __slots__ = ("_ended", "_leader", "_listener", "_owner", "_working", "is_frozen")

    def __init__(self, owner: Called, listener: Listener, leader: Leader) -> None:
        self._owner = owner
        self._listener = listener
        self._leader = leader
        self._working = True  # with the opening
        self._ended = self.is_frozen = False

    def start(self) -> None:
        """The opening is over."""
        with lock:
            self._working = False
        self.wake(soon=True)

    def wake(self, *, soon: bool = False) -> None:
        """There is something to tell. By whoever leads; with ``soon`` from any thread."""
        with lock:
            if self._working or self.is_frozen:
                return
            self._working = True
        if soon:
            self._leader.call_beside(self)
        else:
            self._leader.ready.append(self)

    def freeze(self) -> bool:
        """Let no further call begin; whether none is running."""
        with lock:
            self.is_frozen = True
            return not self._working

    @property
    def has_ended(self) -> bool:
        """Whether the listener has been told of the end."""
        return self._ended

    def work(self) -> bool:
        """Tell the listener what there is to tell; whether there is more."""
        try:
            for _ in range(MAX_IN_A_ROW):
                if not self._call():
                    return self._is_wanted_again()
        except Exception:
            log_failure("A WebSocket failed, and is closed")
            self._ended = True
            self._owner._fail()
            return False
        return True

    def _is_wanted_again(self) -> bool:
        with lock:
            self._working = False
        return self._has_work() and self._takes_up()

    def _has_work(self) -> bool:
        return not self._ended and not self.is_frozen and self._owner._has_something

    def _takes_up(self) -> bool:
        with lock:
            if self._working or self.is_frozen:
                return False
            self._working = True
            return True

    def _call(self) -> bool:
        """Call the listener once; ``False`` when there is nothing to tell it."""
        if self.is_frozen or self._ended:
            return False
        reading = self._owner._state.reading  # asked first: what comes before the end is here then
        received = self._owner._take()
        if received is not None:
            tell(self._owner, self._listener, received)
            return True
        if reading:
            self._ended = True
            self._listener.end()
        return False


def tell(owner: Called, listener: Listener, received: Received) -> None:
    """Give the listener a message, and note that it has been worked on."""
    owner._begin_work(received)
    listener.receive([received.message])
    owner._end_work(received)


class OwnThread:
    """Calls the listener of one connection in a thread, or greenlet, that it has to itself.

    Raises:
        NoRoom: there is none.
    """

    __slots__ = ("_listener", "_owner", "_thread", "_working", "has_ended", "is_frozen")

    def __init__(self, owner: Called) -> None:
        self._owner = owner
        self._thread: view_threads.ViewThread | None = view_threads.start_thread()
        self._listener: Listener | None = None
        self._working = True
        self.is_frozen = self.has_ended = False

    def listen(self, listener: Listener) -> None:
        """Whom to call."""
        self._listener = listener

    def start(self) -> None:
        """The opening is over."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.run(self._run)

    def cancel(self) -> None:
        """There is nobody to call."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.dismiss()

    def wake(self, *, soon: bool = False) -> None:
        """There is something to tell: the thread waits for it by itself."""

    def freeze(self) -> bool:
        """Let no further call begin; whether none is running."""
        with lock:
            self.is_frozen = True
            return not self._working

    def _run(self) -> None:
        owner, listener = self._owner, self._listener
        assert listener is not None
        try:
            while (received := self._next()) is not None:
                tell(owner, listener, received)
            if not self.is_frozen:
                self.has_ended = True
                listener.end()
        except Exception:
            log_failure("A WebSocket failed, and is closed")
            self.has_ended = True
            owner._fail()
        finally:
            self._working = False

    def _next(self) -> Received | None:
        with lock:
            self._working = False
        received = self._owner._take_blocking()
        with lock:
            if self.is_frozen:
                return None
            self._working = True
        return received


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
        self.ready: deque[Calls] = deque()
        self._threads = Threads(MAX_WORKERS, "dwebsocket-gateway")
        self._leads: object | None = None
        self._turn = 0
        self._in_call = self._quiet = False
        self._alarm = threading.Condition()
        self._pace = Service(self._look_after, "dwebsocket-gateway-pace")

    def start(self) -> None:
        """Read from now on."""
        self._threads.start(self._lead)

    def call_beside(self, calls: Calls) -> None:
        """Have a thread call these now. From any thread."""
        try:
            self._threads.start(lambda: self._work_through(calls))
        except NoThread:  # whoever leads does it, after the next packet
            self.ready.append(calls)

    def _work_through(self, calls: Calls) -> None:
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
