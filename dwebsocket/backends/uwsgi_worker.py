"""The worker of uWSGI that runs this process: when it begins to serve, and why it ends."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["call_at_end", "call_when_serving", "find_grace", "find_master", "is_run_by_uwsgi"]

#: Seconds that a reload waits for workers, unless it is told another number; and what is left of
#: them for what others do at the end.
MERCY, MARGIN = 60, 1.0


class Told:
    """What this process knows of its end.

    Attributes:
        to_stop: whether uWSGI ends for good.
        watcher: has greenlets hear of it, who alone hear of signals where they run.
    """

    def __init__(self) -> None:
        self.to_stop = False
        self.watcher: Any = None

    def stop(self) -> None:
        self.to_stop = True


told = Told()


def find_module() -> Any:
    """The module that is there inside uWSGI alone; ``None``: it does not run this process, or
    nobody starts its workers anew.
    """
    found: Any = sys.modules.get("uwsgi")
    return found if found is not None and found.masterpid() else None


def is_run_by_uwsgi() -> bool:
    """Whether this is a worker of uWSGI, or the process that is going to be forked into some."""
    found = find_module()
    return found is not None and (is_gevent(found) or bool(getattr(found, "has_threads", 1)))


def is_gevent(module: Any) -> bool:
    return bool(module.loop == b"gevent")


def call_when_serving(function: Callable[[], None]) -> None:
    """Call this in each worker, as soon as it is one."""
    found = find_module()
    if found.worker_id():
        function()
        return

    def begin() -> None:
        if found.worker_id():  # no mule, no spooler
            function()

    try:
        # Has room for more than one, whoever comes first.
        decorators: Any = importlib.import_module("uwsgidecorators")
    except ImportError:
        before = getattr(found, "post_fork_hook", None)
        found.post_fork_hook = chain(begin, before)
    else:
        decorators.postfork(begin)


def call_at_end(function: Callable[[], None]) -> None:
    """Call this when the worker ends, while its threads and greenlets run: the interpreter's own
    end comes behind that, or not at all.
    """
    found = find_module()
    if found is None or not found.worker_id():
        return

    def end() -> None:
        # It is within the handler of a signal: SIGINT, unless it is for a reload.
        if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
            told.stop()
        function()

    found.atexit = chain(end, getattr(found, "atexit", None))
    if is_gevent(found) and told.watcher is None:
        told.watcher = sys.modules["gevent"].get_hub().loop.signal(signal.SIGINT)
        told.watcher.start(told.stop)


def chain(function: Callable[[], None], other: Any) -> Callable[[], None]:
    """Both, one after the other."""

    def call() -> None:
        try:
            function()
        finally:
            if other is not None:
                other()

    return call


def find_master() -> int | None:
    """The pid of the master that starts another worker when this one, which ends now, has ended;
    ``None``: there is none.
    """
    found = find_module()
    if found is None or not found.worker_id():
        return None
    return None if told.to_stop else int(found.masterpid())


def find_grace() -> float:
    """Seconds until a worker is killed that is to be replaced."""
    found = find_module()
    if found is None:
        return 0.0
    given = found.opt.get("worker-reload-mercy", b"")
    last = given[-1] if isinstance(given, list) else given
    return max(0.0, (int(last) if last.isdigit() else MERCY) - MARGIN)
