"""How to know that gunicorn has told the worker of this process to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dwebsocket.backends.frames import running_frames
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.transports.descriptors import give_reserve, is_full

__all__ = [
    "find_grace",
    "find_stop_signal",
    "has_loaded",
    "has_starting",
    "has_successor",
    "is_worker",
]

#: How to ask the worker of this process, by its pid: a fork is another worker.
stop_signals: dict[int, partial[int | None] | None] = {}


def find_stop_signal() -> Callable[[], int | None] | None:
    """A function that gives a close code once this process's worker has been told to end; ``None``
    when no worker of gunicorn runs this request.

    gunicorn gives applications no way to the worker, and a view that waits for a client does not
    notice a signal. But every request runs below a method of the worker.
    """
    pid = os.getpid()
    if pid not in stop_signals:
        stop_signals.clear()
        worker = next(find_workers(), None)
        stop_signals[pid] = None if worker is None else partial(get_stop_code, worker)
    return stop_signals[pid]


def get_stop_code(worker: Any) -> int | None:
    """The close code of a worker that has been told to end, else ``None``: 1012 when another takes
    over, since this one has served its ``max_requests`` or has been replaced; otherwise 1001.
    """
    if worker.alive:
        return None
    restarts = worker.nr >= worker.max_requests or is_replaced(worker)
    return CloseCode.SERVICE_RESTART if restarts else CloseCode.GOING_AWAY


def is_replaced(worker: Any) -> bool:
    """Whether gunicorn has more children than workers: at a HUP it starts the new ones before it
    ends the old ones, and at a USR2 its successor is a child, too.
    """
    others = bool(getattr(worker.cfg, "dirty_workers", 0))  # these have a parent of their own
    return len(list_children(worker.ppid)) > int(worker.cfg.workers) + others


def list_children(parent: int) -> set[int]:
    """The processes that gunicorn's master has started; none on another system than Linux."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    try:
        try:
            found = path.read_text()
        except OSError as error:
            if not is_full(error):
                raise
            give_reserve()
            found = path.read_text()
    except OSError:
        return set()
    return set(map(int, found.split()))


def has_starting(listening: set[int], ending: set[int]) -> bool:
    """Whether beside the worker of this process, which has been told to end, another one is still
    loading the site, or is about to be started.

    Args:
        listening: the processes that have loaded it.
        ending: those of them that end themselves.
    """
    signal = stop_signals.get(os.getpid())
    if signal is None or signal.args[0].cfg.preload_app:  # they load nothing
        return False
    worker = signal.args[0]
    children = list_children(worker.ppid)
    others = children - {os.getpid()} - ending
    if others - listening:
        return True
    # gunicorn starts another one when it has fewer than it should, this one among them.
    is_restart = signal() == CloseCode.SERVICE_RESTART
    return is_restart and 0 < len(children) < int(worker.cfg.workers)


#: Seconds that are left to gunicorn's own clean-up.
MARGIN = 2.0


def find_grace() -> float:
    """Seconds that this process has from when its worker is told to end until gunicorn kills it; 0
    if no worker of gunicorn is known to run it.
    """
    signal = stop_signals.get(os.getpid())
    if signal is None:
        return 0.0
    cfg = signal.args[0].cfg
    grace = min(cfg.graceful_timeout, cfg.timeout or cfg.graceful_timeout)
    return max(0.0, float(grace) - MARGIN)


def has_loaded() -> bool:
    """Whether the worker of this process has loaded the site: another thread must not do so beside
    it.
    """
    signal = stop_signals.get(os.getpid())
    return signal is None or bool(getattr(signal.args[0], "booted", True))


def has_successor() -> bool:
    """Whether the worker of this process has been told to end, and others are in its place
    already.
    """
    signal = stop_signals.get(os.getpid())
    return signal is not None and not signal.args[0].alive and is_replaced(signal.args[0])


def is_worker() -> bool:
    """Whether a worker of gunicorn runs this call."""
    return "gunicorn.workers.base" in sys.modules and find_stop_signal() is not None


def find_workers() -> Iterator[Any]:
    """gunicorn workers among the ``self`` of the functions that are running now."""
    base = sys.modules.get("gunicorn.workers.base")
    if base is None:
        return
    for frame in running_frames():
        candidate = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if isinstance(candidate, base.Worker):
            yield candidate
