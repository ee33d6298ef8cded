"""The objects of a server that runs a request, where it gives applications no way to them: every
request runs below functions of the server.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["frames_below", "running_frames", "running_objects"]


def running_objects(kind: type) -> Iterator[Any]:
    """Instances of a server's class among the variables of that server's functions that are running
    now, in any thread: those around this call first.
    """
    package = package_of(kind.__module__)
    for frame in running_frames():
        if package_of(frame.f_globals.get("__name__", "")) == package:
            # Not isinstance(), which asks objects that stand for others.
            yield from (v for v in list(frame.f_locals.values()) if issubclass(type(v), kind))


def package_of(module: str) -> str:
    return module.partition(".")[0]


def running_frames() -> Iterator[FrameType]:
    """The frames below this call, in a greenlet those of the greenlets that run it, too; then those
    of the other threads: a view may run in another one than its server.
    """
    yield from frames_below(sys._getframe(1))
    if "greenlet" in sys.modules:
        from greenlet import getcurrent

        greenlet = getcurrent().parent
        while greenlet is not None:
            yield from frames_below(greenlet.gr_frame)
            greenlet = greenlet.parent
    own = threading.get_ident()
    for thread, frame in sys._current_frames().items():
        if thread != own:
            yield from frames_below(frame)


def frames_below(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, and all those that have called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back
