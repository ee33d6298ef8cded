"""One thread polls all watched connections of a process and serves what it finds itself: leader
and followers.

In the usual case nothing is handed over. Only when a call lasts longer than ``SLOW`` does another
thread take over the polling; the connection whose call goes on is left out until it is done. epoll
reports again what the earlier leader had not come to, so nothing is lost at the change.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from .base import Watcher
from .pollers import IN, OUT, create_poller

__all__ = ["ALL_BUSY", "MAX_WORKERS", "ThreadLoop", "Watch", "get_loop"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds after which a call is slow, and somebody else polls.
SLOW = 0.005

#: Threads that run calls.
MAX_WORKERS = 8

ALL_BUSY = (
    "All %d threads that call WebSocket handlers are busy: until one is done none is called. "
    "Handlers that wait long, for a database or for another server, should hand that work to a "
    "task queue. (This is said once.)"
)

#: Seconds after which a thread that is not needed ends.
IDLE_TIMEOUT = 30.0

#: Ticks of SLOW without a call after which nobody looks at the clock any more.
QUIET_TICKS = 20


class Watch:
    """What the loop knows of one connection. Its fields belong to the holder of the loop's lock."""

    __slots__ = ("busy", "fd", "more", "reading", "registered", "watcher", "writing")

    def __init__(
        self, fd: int, watcher: Watcher, *, reading: bool = True, writing: bool = False
    ) -> None:
        self.fd = fd
        self.watcher = watcher
        self.busy = 0  # the thread in which a call is running
        self.more = False  # it is called again even if nothing comes
        self.reading, self.writing = reading, writing
        self.registered = 0  # the events that the poller has been asked for


class ThreadLoop:
    """The loop of one process."""

    def __init__(self) -> None:
        self._poller: Any = create_poller()
        self._watches: dict[int, Watch] = {}
        self._lock = threading.Lock()  # held for an instant, never across a call
        self._vacant = threading.Condition(self._lock)  # nobody leads
        self._alarm = threading.Condition(self._lock)  # calls are being made again
        self._leader: int | None = None  # a thread
        self._current: Watch | None = None  # what the leader is calling
        self._turn = 0  # counts the leader's calls
        self._workers = 0
        self._idle = 0  # workers that wait for a vacancy
        self._started = self._quiet = self._told = False

    def add(self, watch: Watch) -> None:
        """Watch a connection."""
        with self._lock:
            self._watches[watch.fd] = watch
            self._register(watch)
            if self._started:
                return
            self._started = True
            self._start_worker()
        threading.Thread(target=self._look_after, name="dwebsocket-pace", daemon=True).start()

    def set_interest(self, watch: Watch, *, reading: bool, writing: bool) -> None:
        """Change what a connection is watched for."""
        with self._lock:
            watch.reading, watch.writing = reading, writing
            self._register(watch)

    def discard(self, watch: Watch) -> None:
        """Watch a connection no more; called before its descriptor is closed."""
        with self._lock:
            if self._watches.get(watch.fd) is watch:
                del self._watches[watch.fd]
                self._ask(watch, 0)

    def close(self) -> None:
        """Give the poller back in a forked child: the parent's loop goes on without us."""
        self._poller.close()

    def _register(self, watch: Watch) -> None:
        # Not while the leader is in its call: it is the one who would poll.
        self._ask_for(watch, reading=not watch.busy or watch is self._current)

    def _ask_for(self, watch: Watch, *, reading: bool) -> None:
        if self._watches.get(watch.fd) is not watch:
            return  # its connection has ended, perhaps within a call: the descriptor may be closed
        wanted = 0
        if reading and watch.reading:  # a socket that takes data is found at once, behind others
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

    def _start_worker(self) -> None:
        self._workers += 1
        number = self._workers
        threading.Thread(target=self._work, name=f"dwebsocket-loop-{number}", daemon=True).start()

    def _work(self) -> None:
        me = threading.get_ident()
        while self._take_lead(me):
            self._lead(me)

    def _take_lead(self, me: int) -> bool:
        """Wait until nobody leads, then do so; ``False`` when nobody needed us for long."""
        with self._lock:
            while self._leader is not None:
                self._idle += 1
                called = self._vacant.wait(IDLE_TIMEOUT)
                self._idle -= 1
                if not called and self._leader is not None:
                    self._workers -= 1
                    return False
            self._leader = me
            return True

    def _lead(self, me: int) -> None:
        """Poll and call, until somebody else has taken over."""
        poll, watches = self._poller.poll, self._watches
        while True:
            for fd, events in poll():
                watch = watches.get(fd)
                if watch is None:
                    continue
                if events & OUT and watch.writing:
                    watch.watcher.on_writable()
                if (events != OUT or watch.more) and not self._call(watch, me):
                    return

    def _call(self, watch: Watch, me: int) -> bool:
        """Let the watcher read; whether we still lead afterwards."""
        if watch.busy:  # it hung up while a call is running: that one will find out
            with self._lock:
                if watch.busy:
                    self._ask(watch, 0)
            return True
        # Without the lock, for only the leader comes here. Should it lose the lead just now, then
        # this watch is the one that is left out until its call is done.
        watch.busy = me
        self._turn += 1
        self._current = watch
        if self._quiet:
            self._wake_alarm()
        more = watch.watcher.on_readable()
        with self._lock:
            if more is not watch.more:
                watch.more = more
                self._register(watch)
            if self._leader == me:
                watch.busy = 0
                self._current = None
                return True
            self._ask_for(watch, reading=True)
            watch.busy = 0  # the last thing: from now on the leader may call it
            return False

    def _wake_alarm(self) -> None:
        with self._lock:
            self._quiet = False
            self._alarm.notify()

    # The one who looks at the clock

    def _look_after(self) -> None:
        """Find a call that is slow, and have somebody else lead; sleep while nothing happens."""
        ticks = 0
        while True:
            turn = self._turn
            time.sleep(SLOW)
            stalled = None
            with self._lock:
                if turn != self._turn:
                    ticks = 0
                elif self._current is not None:
                    stalled = self._relieve(self._current)
                elif (ticks := ticks + 1) >= QUIET_TICKS:
                    self._rest()
                    ticks = 0
            if stalled is not None:
                stalled.watcher.on_stalled()

    def _rest(self) -> None:
        """Sleep until the leader makes a call. Called with the lock held."""
        # The leader does it the other way round: one of us sees the other.
        self._quiet = True
        if self._current is not None:
            self._quiet = False
        while self._quiet:
            self._alarm.wait()

    def _relieve(self, stalled: Watch) -> Watch:
        self._leader = self._current = None
        self._register(stalled)
        if self._idle:
            self._vacant.notify()
        elif self._workers < MAX_WORKERS:
            self._start_worker()
        elif not self._told:
            self._told = True
            logger.warning(ALL_BUSY, MAX_WORKERS)
        return stalled


#: The loop of this process.
loops: list[ThreadLoop] = []
creating = threading.Lock()


def get_loop() -> ThreadLoop:
    """The loop of this process, made on first use."""
    with creating:
        if not loops:
            loops.append(ThreadLoop())
        return loops[0]


def forget_loop() -> None:
    """Forget the parent's loop in a forked child, which has none of its threads."""
    global creating
    creating = threading.Lock()
    for loop in loops:
        loop.close()
    loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_loop)
