"""The objects of a server that runs a request, where it gives applications no way to them: every
request runs below functions of the server.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = [
    "find_running",
    "frames_below",
    "objects_around",
    "running_frames",
    "running_objects",
]


def running_objects(kind: type) -> Iterator[Any]:
    """Instances of a server's class among the variables of that server's functions that are running
    now, in any thread: those around this call first.
    """
    return objects_in(running_frames(), kind)


def objects_around(kind: type) -> Iterator[Any]:
    """The same for this thread or greenlet alone."""
    return objects_in(own_frames(), kind)


def objects_in(frames: Iterator[FrameType], kind: type) -> Iterator[Any]:
    package = package_of(kind.__module__)
    for frame in frames:
        if package_of(frame.f_globals.get("__name__", "")) == package:
            # Not isinstance(), which asks objects that stand for others.
            yield from (v for v in list(frame.f_locals.values()) if issubclass(type(v), kind))


def find_running(module: str, name: str, is_its: Callable[[Any], bool]) -> Any:
    """The instance of a server's class that runs the request: it says so itself, or it runs in this
    thread or greenlet, of all those that do.

    Args:
        module: where the class is; if nobody has imported it nothing runs.
        is_its: whether an instance runs the request.
    """
    server = sys.modules.get(module)
    if server is None:
        return None
    kind = getattr(server, name)
    for instance in running_objects(kind):
        if is_its(instance):
            return instance
    return next(objects_around(kind), None)


def package_of(module: str) -> str:
    return module.partition(".")[0]


def running_frames() -> Iterator[FrameType]:
    """The frames below this call; then those of the other threads: a view may run in another one
    than its server.
    """
    yield from own_frames()
    own = threading.get_ident()
    for thread, frame in sys._current_frames().items():
        if thread != own:
            yield from frames_below(frame)


def own_frames() -> Iterator[FrameType]:
    """The frames below this call, in a greenlet those of the greenlets that run it, too."""
    yield from frames_below(sys._getframe(1))
    if "greenlet" in sys.modules:
        from greenlet import getcurrent

        greenlet = getcurrent().parent
        while greenlet is not None:
            yield from frames_below(greenlet.gr_frame)
            greenlet = greenlet.parent


def frames_below(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, and all those that have called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back
