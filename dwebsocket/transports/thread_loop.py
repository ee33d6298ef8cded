"""One thread polls all watched connections of a process and serves what it finds itself: leader
and followers.

In the usual case nothing is handed over. Only when a call lasts longer than ``SLOW`` does another
thread take over: it goes on with those whom the leader has found, and polls then; the connection
whose call goes on is left out until it is done. Where threads wait for each other those who were
found are shared out at once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from functools import partial
from typing import Any

from dwebsocket.supervisor import Service, spares, start_missing, try_start

from .base import fail_watcher
from .pollers import IN, OUT, create_poller
from .watches import Watch, Worker, tell_stalled, tell_writable

__all__ = ["ALL_BUSY", "MAX_WORKERS", "ThreadLoop", "Watch", "get_loop"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds after which a call is slow, and somebody else polls.
SLOW = 0.005

#: Threads that run calls. Where many threads are at work each of these mostly waits for the
#: interpreter, three times for a call: fewer would not keep up.
MAX_WORKERS = 32

#: ``Watch.busy`` between being found and being called.
FOUND = -1

#: Connections share so many locks.
LOCKS = 64

#: Seconds that a sleep of SLOW takes when threads wait for each other, and ticks for which that is
#: believed.
PRESSURE = 0.015
PRESSED_TICKS = 100

ALL_BUSY = (
    "All %d threads that call WebSocket handlers are busy: until one is done none is called. "
    "Handlers that wait long, for a database or for another server, should hand that work to a "
    "task queue. (This is said once.)"
)

#: Seconds after which a thread that is not needed ends.
IDLE_TIMEOUT = 10.0

#: Ticks of SLOW without a call after which nobody looks at the clock any more.
QUIET_TICKS = 20


class ThreadLoop:
    """The loop of one process."""

    def __init__(self) -> None:
        self._poller: Any = create_poller()
        self._watches: dict[int, Watch] = {}
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._polling = threading.Lock()  # whoever has it leads
        self._found: deque[tuple[Watch, int]] = deque()  # whom the leader has left to the others
        self._later: deque[tuple[Watch, int]] = deque()  # those of them that have much to do
        self._permits = deque(range(MAX_WORKERS // 2))  # for those who call these
        self._lock = threading.Lock()  # held for an instant, never across a call
        self._alarm = threading.Condition(self._lock)  # calls are being made again
        self._workers: list[Worker] = []
        self._count = 0  # of those that were ever started
        self._idle: deque[Worker] = deque()  # those that wait until they are needed
        self._is_short = False  # the system has no further thread
        self._quiet = self._told = False
        self._pace = Service(self._look_after, "dwebsocket-pace")
        self._pressed = False  # threads wait for each other: many work at once

    def add(self, watch: Watch) -> None:
        """Watch a connection."""
        with self._lock_of(watch):
            self._watches[watch.fd] = watch
            self._register(watch)
        self._ensure_running()

    def set_interest(self, watch: Watch, *, reading: bool, writing: bool) -> None:
        """Change what a connection is watched for."""
        with self._lock_of(watch):
            watch.reading, watch.writing = reading, writing
            self._register(watch)
        self._ensure_running()

    def discard(self, watch: Watch) -> None:
        """Watch a connection no more; called before its descriptor is closed."""
        with self._lock_of(watch):
            if self._watches.get(watch.fd) is watch:
                del self._watches[watch.fd]
                self._ask(watch, 0)

    @property
    def has_found(self) -> bool:
        """Whether further connections are going to be called before it polls again."""
        return bool(self._found)

    def give_back(self) -> None:
        """End the threads that wait for work: somebody else needs one."""
        self._is_short = True
        while self._wake_one():
            pass

    def close(self) -> None:
        """Give the poller back in a forked child: the parent's loop goes on without us."""
        self._poller.close()

    def _lock_of(self, watch: Watch) -> threading.Lock:
        """The lock of those who change what a connection is watched for. Each such call lets other
        threads run, for long if there are many: not all connections wait for that.
        """
        return self._locks[watch.fd % LOCKS]

    def _register(self, watch: Watch) -> None:
        if self._watches.get(watch.fd) is not watch:
            return  # its connection has ended, perhaps within a call: the descriptor may be closed
        wanted = 0
        if watch.reading and not watch.left_out:
            # A socket that takes data is found at once, behind others.
            wanted = IN | OUT if watch.more else IN
        self._ask(watch, wanted | (OUT if watch.writing else 0))

    def _ask(self, watch: Watch, events: int) -> None:
        if events == watch.registered:
            return
        if not events:
            self._poller.unregister(watch.fd)  # events 0 would still tell of a hang-up
        elif watch.registered:
            self._poller.modify(watch.fd, events)
        else:
            self._poller.register(watch.fd, events)
        watch.registered = events

    # The workers

    def _ensure_running(self) -> None:
        """There is somebody who calls, and somebody who looks at the clock, unless the system has
        no further thread just now.
        """
        if not self._workers:
            with self._lock:
                if not self._workers:
                    self._start_worker()
        self._pace.ensure()

    def _start_worker(self) -> None:
        self._count += 1
        worker = Worker()
        self._workers.append(worker)
        if try_start(partial(self._work, worker), f"dwebsocket-loop-{self._count}") is None:
            self._workers.remove(worker)
        else:
            self._is_short = False

    def _work(self, worker: Worker) -> None:
        """What a worker does, until it has not been needed for long."""
        me, found, later, polling = threading.get_ident(), self._found, self._later, self._polling
        while True:
            if found:
                try:
                    watch, events = found.popleft()
                except IndexError:  # somebody else was quicker
                    continue
                self._call(worker, me, watch, events)
            elif later and self._permits:
                self._call_later(worker, me)
            elif polling.acquire(False):
                self._lead(worker, me)
            elif not self._wait_for_work(worker):
                return

    def _lead(self, worker: Worker, me: int) -> None:
        """Poll, and call the first one that is found."""
        first, first_events, busy = None, 0, None
        try:
            for fd, events in self._poller.poll():
                watch = self._watches.get(fd)
                if watch is None:
                    continue
                if watch.busy:
                    if events & OUT and watch.writing:
                        tell_writable(watch)
                    if events != OUT or watch.more:
                        busy = watch
                elif watch.more:
                    watch.busy = FOUND
                    self._later.append((watch, events))
                elif first is None:
                    watch.busy = FOUND
                    first, first_events = watch, events
                else:
                    watch.busy = FOUND
                    self._found.append((watch, events))
        except BaseException:  # MemoryError: whoever has been found is not forgotten
            if first is not None:
                self._found.append((first, first_events))
            raise
        finally:
            self._polling.release()
        if self._pressed:
            self._call_others()
        if first is not None:
            self._call(worker, me, first, first_events)
        elif busy is not None and not (self._later and self._permits):
            self._leave_out(busy)

    def _call_others(self) -> None:
        """Have others help with what has been found."""
        for _ in range(len(self._found) + min(len(self._later), len(self._permits))):
            if not self._wake_one():
                break

    def _call_later(self, worker: Worker, me: int) -> None:
        """Call one of those that have much to do: not all threads do that."""
        try:
            permit = self._permits.pop()
        except IndexError:  # somebody else was quicker
            return
        try:
            try:
                watch, events = self._later.popleft()
            except IndexError:
                return
            self._call(worker, me, watch, events)
        finally:
            self._permits.append(permit)

    def _call(self, worker: Worker, me: int, watch: Watch, events: int) -> None:
        """Let the watcher write and read. What it raises is the end of its connection alone."""
        try:
            if self._watches.get(watch.fd) is watch:
                watch.busy = me
                if events & OUT and watch.writing:
                    watch.watcher.on_writable()
                if events != OUT or watch.more:
                    worker.turn += 1
                    worker.watch = watch
                    if self._quiet:
                        self._wake_alarm()
                    more = watch.watcher.on_readable()
                    if more is not watch.more:
                        with self._lock_of(watch):
                            watch.more = more
                            self._register(watch)
        except BaseException:  # this thread has nobody else to tell
            fail_watcher(watch.watcher)
        finally:
            worker.watch = None
            watch.busy = 0
            if watch.left_out:
                self._take_in(watch)

    def _leave_out(self, watch: Watch) -> None:
        """Poll no more for a connection whose call is running, or else it is found at once."""
        with self._lock_of(watch):
            if self._watches.get(watch.fd) is not watch:
                return
            if watch.left_out:
                self._ask(watch, 0)  # it has hung up: the call will find out
            else:
                watch.left_out = True
                self._register(watch)
        if not watch.busy:  # one of us sees the other
            self._take_in(watch)

    def _take_in(self, watch: Watch) -> None:
        with self._lock_of(watch):
            watch.left_out = False
            self._register(watch)

    # No lock is shared here: where threads are many, whoever gets one waits for the interpreter
    # next, and so long would all others wait for the lock.

    def _wait_for_work(self, worker: Worker) -> bool:
        """Wait until somebody is needed; ``False`` when nobody was for long."""
        idle, wakeup = self._idle, worker.wakeup
        idle.append(worker)
        patience = 0.0 if self._is_short else IDLE_TIMEOUT
        if self._has_work() or not wakeup.acquire(timeout=patience):
            try:
                idle.remove(worker)
            except ValueError:  # somebody has just decided to wake it
                wakeup.acquire()
            else:
                if not self._has_work():
                    self._workers.remove(worker)
                    return False
        return True

    def _has_work(self) -> bool:
        has_more = self._later and self._permits
        return bool(self._found or has_more or not self._polling.locked())

    def _wake_one(self) -> bool:
        """Wake a worker; whether there was one that waited."""
        try:
            self._idle.pop().wakeup.release()
        except IndexError:
            return False
        return True

    def _wake_alarm(self) -> None:
        with self._lock:
            self._quiet = False
            self._alarm.notify()

    # The one who looks at the clock

    def _look_after(self) -> None:
        """Find calls that are slow, and have somebody else lead; sleep while nothing happens."""
        ticks = pressed = 0
        while True:
            if not self._workers:
                self._start_worker()
            start_missing()
            before = [(worker, worker.turn) for worker in self._workers]
            began = time.monotonic()
            time.sleep(SLOW)
            late = time.monotonic() - began > PRESSURE
            pressed = PRESSED_TICKS if late else max(0, pressed - 1)
            self._pressed = pressed > 0
            stalled = [worker for worker, turn in before if worker.turn == turn and worker.watch]
            new = [(worker, worker.watch) for worker in stalled if not worker.is_slow]
            if self._has_work() if self._pressed else stalled and not self._polling.locked():
                self._relieve()
            if new or any(worker.turn != turn for worker, turn in before):
                ticks = 0
            elif (ticks := ticks + 1) >= QUIET_TICKS:
                self._rest()
                ticks = pressed = 0
            for worker, watch in new:
                worker.told = worker.turn
                if watch is not None:
                    tell_stalled(watch)

    def _rest(self) -> None:
        """Sleep until a worker makes a call."""
        # The workers do it the other way round: one of us sees the other.
        with self._lock:
            self._quiet = True
            if any(worker.watch is not None and not worker.is_slow for worker in self._workers):
                self._quiet = False
            while self._quiet:
                self._alarm.wait()

    def _relieve(self) -> None:
        """Have one more thread at work."""
        if self._wake_one():
            return
        if len(self._workers) < MAX_WORKERS:
            self._start_worker()
        elif not self._told and all(worker.watch is not None for worker in self._workers):
            self._told = True
            logger.warning(ALL_BUSY, MAX_WORKERS)


#: The loop of this process.
loops: list[ThreadLoop] = []
creating = threading.Lock()


def get_loop() -> ThreadLoop:
    """The loop of this process, made on first use."""
    with creating:
        if not loops:
            loops.append(ThreadLoop())
        return loops[0]


def give_back_threads() -> None:
    for loop in loops:
        loop.give_back()


spares.append(give_back_threads)


def forget_loop() -> None:
    """Forget the parent's loop in a forked child, which has none of its threads."""
    global creating
    creating = threading.Lock()
    for loop in loops:
        loop.close()
    loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_loop)
