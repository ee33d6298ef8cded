"""How to know that gunicorn has told the worker of this process to end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from dwebsocket.backends.frames import running_frames
from dwebsocket.protocol.frames import CloseCode

__all__ = ["find_stop_signal"]

#: How to ask the worker of this process, by its pid: a fork is another worker.
stop_signals: dict[int, Callable[[], int | None] | None] = {}


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
    over, since this one has served its ``max_requests``, otherwise 1001.
    """
    if worker.alive:
        return None
    restarts = worker.nr >= worker.max_requests
    return CloseCode.SERVICE_RESTART if restarts else CloseCode.GOING_AWAY


def find_workers() -> Iterator[Any]:
    """gunicorn workers among the ``self`` of the functions that are running now."""
    from gunicorn.workers.base import Worker

    for frame in running_frames():
        candidate = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if isinstance(candidate, Worker):
            yield candidate
