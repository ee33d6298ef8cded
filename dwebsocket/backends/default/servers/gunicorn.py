"""gunicorn: the sync, gthread, gevent, gevent_pywsgi and (up to 25) eventlet workers."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Any

from dwebsocket.protocol.frames import CloseCode

from .base import SocketTakeover
from .eventlet import EventletTakeover
from .gevent import GeventTakeover

__all__ = ["GunicornPywsgiTakeover", "GunicornTakeover"]


class GunicornTakeover(SocketTakeover):
    """gunicorn puts its socket into the environ; what it read ahead is in its ``Unreader``."""

    @property
    def few_threads(self) -> bool:  # type: ignore[override]
        return self._socket_kind in ("socket", "ssl")  # sync and gthread

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        return "gunicorn.socket" in environ

    def get_socket(self) -> Any:
        return self.environ["gunicorn.socket"]

    @property
    def _socket_kind(self) -> str:
        return type(self.get_socket()).__module__.partition(".")[0]

    def take_early_bytes(self) -> bytes:
        reader = self.environ["wsgi.input"].reader
        # A chunked body, which is refused, is read through the request.
        unreader = getattr(reader, "unreader", None) or reader.req.unreader
        early: bytes = unreader.buf.getvalue()
        unreader.buf = io.BytesIO()
        return early

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return find_stop_signal()

    def finish_response(self) -> None:
        if self._socket_kind == "eventlet":
            EventletTakeover(self.environ).finish_response()


class GunicornPywsgiTakeover(GeventTakeover):
    """The gevent_pywsgi worker serves through gevent.pywsgi, but ends as gunicorn does."""

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        return "gunicorn.sock" in environ and super().matches(environ)

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return find_stop_signal()


#: How to ask the worker of this process, by its pid: a fork is another worker.
stop_signals: dict[int, Callable[[], int | None] | None] = {}


def find_stop_signal() -> Callable[[], int | None] | None:
    """Whether this process's worker has been told to end.

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
    """1012 when another worker takes over, since this one has served its ``max_requests``."""
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
    """The frames below this call; in a greenlet those of the greenlets that run it, too."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
    if "greenlet" in sys.modules:
        from greenlet import getcurrent

        greenlet = getcurrent().parent
        while greenlet is not None:
            frame = greenlet.gr_frame
            while frame is not None:
                yield frame
                frame = frame.f_back
            greenlet = greenlet.parent
