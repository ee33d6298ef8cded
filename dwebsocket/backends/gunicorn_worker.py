"""How to know that gunicorn has told the worker of this process to end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

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


def running_frames() -> Iterator[FrameType]:
    """The frames below this call, in a greenlet those of the greenlets that run it, too; and those
    of the main thread: the loop that Django has started for an async view is in another one.
    """
    yield from frames_below(sys._getframe(1))
    if "greenlet" in sys.modules:
        from greenlet import getcurrent

        greenlet = getcurrent().parent
        while greenlet is not None:
            yield from frames_below(greenlet.gr_frame)
            greenlet = greenlet.parent
    yield from frames_below(sys._current_frames().get(threading.main_thread().ident or 0))


def frames_below(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, and all those that have called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back
