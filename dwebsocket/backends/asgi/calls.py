"""The calls of a handler, which are synchronous: in threads of a small pool, in order."""

from __future__ import annotations

import logging
import os
import threading
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

from dwebsocket.backends.driven import Listener
from dwebsocket.threads import Threads
from dwebsocket.transports.thread_loop import ALL_BUSY

from .inbox import Inbox

if TYPE_CHECKING:
    from .websocket import AsgiWebSocket

__all__ = ["Calls"]

logger = logging.getLogger("dwebsocket.connection")

#: Messages of one connection in a row, before others get a turn.
MAX_IN_A_ROW = 16

#: Seconds a call may wait for a thread before the log says so.
SLOW = 1.0

#: Guards what each connection's calls are doing; held for an instant.
lock = threading.Lock()

#: Threads that run calls.
MAX_WORKERS = 8

#: The threads that call the handlers of this process.
threads = Threads(MAX_WORKERS, "dwebsocket-handler")


class Calls:
    """Calls the listener of one connection: never two calls at once."""

    __slots__ = ("_ended", "_inbox", "_listener", "_since", "_wanted", "_websocket", "_working")

    def __init__(self, websocket: AsgiWebSocket, inbox: Inbox, listener: Listener) -> None:
        self._websocket = websocket
        self._inbox = inbox
        self._listener = listener
        self._since = 0.0
        # Under ``lock``.
        self._wanted = self._working = False
        self._ended = False

    def wake(self) -> None:
        """Something has happened of which the listener must be told. From any thread."""
        with lock:
            self._wanted = True
            if self._working:
                return
            self._working = True
        self._submit()

    def _submit(self) -> None:
        self._since = monotonic()
        try:
            threads.start(self._work)
        except RuntimeError:  # the interpreter ends
            pass

    def _work(self) -> None:
        if monotonic() - self._since > SLOW:
            tell_busy()
        for _ in range(MAX_IN_A_ROW):
            with lock:
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
        websocket = self._websocket
        is_over = websocket.is_over  # asked first: what comes before the end is in the inbox then
        message = None if websocket.has_closed else self._inbox.take()
        if message is not None:
            self._listener.receive([message])
            return True
        if is_over:
            self._ended = True
            self._listener.end()
            websocket.finish()
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
