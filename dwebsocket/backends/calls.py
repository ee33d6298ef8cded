"""The calls of a handler where no loop reads for it: in order, as what has come says."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Protocol

from dwebsocket.backends.listening import Listener
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.state import ConnectionState, Reading
from dwebsocket.running.threads import Threads
from dwebsocket.supervisor import log_failure
from dwebsocket.transports.thread_loop import ALL_BUSY, MAX_WORKERS
from dwebsocket.websocket import Message

__all__ = ["Calls", "callers"]

logger = logging.getLogger("dwebsocket.connection")

#: Messages of one connection in a row, before others get a turn.
MAX_IN_A_ROW = 16

#: Seconds a call may wait for a thread before the log says so.
SLOW = 1.0

#: Guards what each connection's calls are doing; held for an instant.
lock = threading.Lock()

#: The threads that call the handlers of this process.
callers = Threads(MAX_WORKERS, "dwebsocket-handler")

Start = Callable[[Callable[[], None]], None]


class Inbox(Protocol):
    """What has come and has not been read."""

    def take(self) -> Message | None:
        """One message, ``None`` when there is none."""
        ...


class Owner(Protocol):
    """The WebSocket."""

    _calls: Calls | None

    @property
    def _state(self) -> ConnectionState: ...

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        """Close the connection, and read nothing any more."""

    def _finish(self) -> None:
        """Note that the handler has ended."""


class Calls:
    """Calls the listener of one connection: never two calls at once.

    Args:
        start: has a thread or greenlet call a function, soon.
    """

    __slots__ = (
        "_ended",
        "_inbox",
        "_listener",
        "_owner",
        "_paused",
        "_since",
        "_start",
        "_state",
        "_wanted",
        "_working",
    )

    def __init__(self, owner: Owner, start: Start, inbox: Inbox, listener: Listener) -> None:
        self._owner = owner
        self._start = start
        self._state = owner._state
        self._inbox = inbox
        self._listener = listener
        self._since = 0.0
        # Under ``lock``.
        self._wanted = self._working = self._paused = False
        self._ended = False

    def start(self) -> None:
        """Call the listener from now on. From any thread."""
        self._owner._calls = self
        self.wake()

    def wake(self) -> None:
        """Have the listener called: there is a message, or no further one comes. From any
        thread.
        """
        with lock:
            self._wanted = True
            if self._working or self._paused:
                return
            self._working = True
        self._submit()

    def pause(self) -> None:
        """Have nothing further called; what is being called goes on (``is_still``)."""
        with lock:
            self._paused = True

    @property
    def is_still(self) -> bool:
        """Whether nothing is being called."""
        return not self._working

    def go_on(self) -> None:
        """Call the listener again, if there is anything."""
        with lock:
            self._paused = False
        self.wake()

    def _submit(self) -> None:
        self._since = monotonic()
        self._start(self._work)

    def _work(self) -> None:
        """Call the listener; what fails there ends this connection."""
        try:
            self._work_on()
        except Exception:
            log_failure("A WebSocket failed, and is closed")
            self._fail()

    def _fail(self) -> None:
        with lock:
            self._wanted, self._working = False, True  # nothing is called any more
            was_told, self._ended = self._ended, True
        try:
            self._owner.close_connection(CloseCode.INTERNAL_ERROR, "", 0)
            if not was_told:
                self._listener.end()
        except Exception:
            log_failure("A WebSocket that failed cannot be closed")
        finally:
            self._owner._finish()

    def _work_on(self) -> None:
        if monotonic() - self._since > SLOW:
            tell_busy()
        for _ in range(MAX_IN_A_ROW):
            with lock:
                if self._paused:
                    self._working = False
                    return
                self._wanted = False
            if not self._call():
                with lock:
                    if not self._wanted:
                        self._working = False
                        return
        self._submit()

    def _call(self) -> bool:
        """Call the listener once; ``False`` when there is nothing to tell it."""
        if self._ended:
            return False
        reading = self._state.reading  # asked first: what comes before the end is in the inbox then
        message = None if self._state.reading == Reading.CLOSED else self._inbox.take()
        if message is not None:
            self._listener.receive([message])
            return True
        if reading:
            self._ended = True
            self._listener.end()
            self._owner._finish()
        return False


@cache
def tell_busy() -> None:
    """Say once that there are too few threads for the calls of handlers."""
    logger.warning(ALL_BUSY, MAX_WORKERS)


def forget_lock() -> None:
    """Make a new lock in a forked child, whose parent may have held it."""
    global lock
    lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)
