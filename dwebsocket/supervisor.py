"""Threads and greenlets of ours: what goes wrong in one does not end it.

Each is started when it is needed. If the system has no thread just then, that is logged, and
whoever needs it next tries again.
"""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

__all__ = [
    "Service",
    "ends_process",
    "forget_last",
    "keep_running",
    "log_failure",
    "log_now_and_then",
    "run_all_last",
    "run_last",
    "spares",
    "start_missing",
    "start_thread",
    "try_start",
]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds before what has failed goes on, and before the same failure is logged once more.
PAUSE = 0.2
LOG_INTERVAL = 60.0

NO_THREAD = "The thread %s cannot be started: %s. It is tried again when it is needed next"

#: Services that could not be started.
missing: set[Service] = set()

#: What gives threads back that nobody needs just now, called when the system has no further one.
spares: list[Callable[[], None]] = []

#: When a line of ``log_now_and_then`` was last logged, time.monotonic().
logged: dict[str, float] = {}


#: What is called at the interpreter's end, behind all else of ours that is.
last: list[Callable[[], None]] = []


def run_last(function: Callable[[], None]) -> None:
    """Call this at the interpreter's end, when connections have ended, the latest first."""
    last.append(function)


def forget_last(function: Callable[[], None]) -> None:
    """Do not call it then."""
    if function in last:
        last.remove(function)


@atexit.register  # the first to do so of this package, and so the last to be called
def run_all_last() -> None:
    """The interpreter ends."""
    while last:
        try:
            last.pop()()
        except Exception:
            log_failure("Something failed at the end of the process")


def start_thread(function: Callable[[], None], name: str) -> threading.Thread:
    """Run ``function`` in a thread that nobody waits for, with the caller's context.

    Raises:
        RuntimeError: the system has no further thread. The next one may get that of another who
            did not need it.
    """
    run = copy_context().run
    thread = threading.Thread(target=run, args=(function,), name=name, daemon=True)
    try:
        with ends_blocked():
            thread.start()
    except RuntimeError:
        for give_back in spares:
            give_back()
        raise
    return thread


#: By what uWSGI ends a worker.
ENDS = frozenset(
    getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)
)


@contextmanager
def ends_blocked() -> Iterator[None]:
    """A thread that is started here gets none of them inside uWSGI.

    That ends a worker within the handler of one, in whichever thread has it, and blocks them in its
    own threads but the first. The end of any other waits for ever: for the first one (Python before
    3.13), or for a lock that it has itself.
    """
    server: Any = sys.modules.get("uwsgi")
    if server is None or server.loop == b"gevent":  # which hears of signals in its own time
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def try_start(
    function: Callable[[], None],
    name: str,
    start: Callable[..., Any] = start_thread,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """Start ``keep_running(function)`` in a thread, or in what ``start`` makes.

    Returns:
        What ``start`` returns; ``None`` if the system has no further thread.
    """
    try:
        return start(lambda: keep_running(function, name, sleep), name) or True
    except Exception as error:  # RuntimeError: can't start new thread; MemoryError
        log_now_and_then(name, NO_THREAD, name, error)
        return None


def keep_running(
    function: Callable[[], None], name: str, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Call ``function`` until it returns. What it raises is logged; after a pause it goes on."""
    while True:
        try:
            function()
        except BaseException as error:
            if ends_process(error):
                raise
            log_now_and_then(name, "%s failed, and goes on", name, exc_info=True)
            sleep(PAUSE)
        else:
            return


def ends_process(error: BaseException) -> bool:
    """Whether it is meant for the thread or greenlet itself, as at the end of the process."""
    greenlet: Any = sys.modules.get("greenlet")
    exits = (SystemExit, KeyboardInterrupt, *([greenlet.GreenletExit] if greenlet else []))
    return isinstance(error, exits)


def log_failure(text: str, *args: Any) -> None:
    """Log the error that is being handled; never raises, though handlers of the log may."""
    try:
        logger.exception(text, *args)
    except Exception:  # a log that fails is nobody's end
        pass


def log_now_and_then(key: str, text: str, *args: Any, exc_info: bool = False) -> None:
    """Log an error, but not each time: what fails may do so again and again."""
    now = time.monotonic()
    if now - logged.get(key, -LOG_INTERVAL) < LOG_INTERVAL:
        return
    logged[key] = now
    try:
        logger.error(text + " (said once a minute)", *args, exc_info=exc_info)
    except Exception:
        pass


def start_missing() -> None:
    """Start the services that could not be started when they were needed; for those that run."""
    for service in list(missing):
        service.ensure()


class Service:
    """A function that runs in one thread or greenlet for as long as it is needed.

    Args:
        run: must call ``end`` before it returns.
        start: what runs a function beside the server: ``start_thread``, or that of a transport.
        sleep: how that waits.
    """

    def __init__(
        self,
        run: Callable[[], None],
        name: str,
        start: Callable[..., Any] = start_thread,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._run = run
        self._name = name
        self._start = start
        self._sleep = sleep
        self._lock = threading.Lock()  # held for an instant
        self._running = False

    def ensure(self) -> bool:
        """Start it unless it runs; whether it does. Never raises: if it cannot be started the next
        call tries.
        """
        if self._running:
            return True
        with self._lock:
            if self._running:
                return True
            # Before the start, for it may end at once; nobody else looks meanwhile.
            self._running = True
            started = try_start(self._run, self._name, self._start, self._sleep)
            self._running = is_started = started is not None
        (missing.discard if is_started else missing.add)(self)
        return is_started

    def end(self, is_needed: Callable[[], object]) -> bool:
        """Whether ``run`` may return: nobody needs it, and whoever does from now on starts it."""
        with self._lock:
            self._running = bool(is_needed())
            return not self._running
