"""Waiting for one descriptor, whatever its number, with the system's own call."""

from __future__ import annotations

import select
import sys
from typing import Any

__all__ = ["IN", "OUT", "is_hung_up", "unpatched", "wait_readable", "wait_writable"]


def unpatched(name: str) -> Any:
    """A name of ``select`` as it was before gevent or eventlet patched the module, or ``None``."""
    if "gevent.monkey" in sys.modules:
        from gevent.monkey import get_original

        return get_original("select", name) if hasattr(select, name) else None
    if "eventlet.patcher" in sys.modules:
        from eventlet.patcher import original

        return getattr(original("select"), name, None)
    return getattr(select, name, None)


IN, OUT, ERR, HUP = 0x01, 0x04, 0x08, 0x10
RDHUP = 0x2000 if sys.platform == "linux" else 0

new_poll = unpatched("poll")


def poll(fd: int, events: int, timeout: float | None) -> int:
    """The events of ``fd`` that happened within ``timeout`` seconds; 0 for none."""
    poller = new_poll()
    poller.register(fd, events)
    ready = poller.poll(None if timeout is None else timeout * 1000)
    return int(ready[0][1]) if ready else 0


def poll_by_select(fd: int, events: int, timeout: float | None) -> int:
    """``poll`` where the system has none (Windows); it cannot see a hang-up."""
    reading, writing = [fd] if events & IN else [], [fd] if events & OUT else []
    readable, writable, _ = select.select(reading, writing, [], timeout)
    return (IN if readable else 0) | (OUT if writable else 0)


if new_poll is None:
    poll = poll_by_select


def wait_readable(fd: int, timeout: float | None) -> bool:
    """Wait until ``fd`` is readable or broken; ``False`` after ``timeout`` seconds."""
    return bool(poll(fd, IN, timeout))


def wait_writable(fd: int, timeout: float | None) -> bool:
    """Wait until ``fd`` is writable or broken; ``False`` after ``timeout`` seconds."""
    return bool(poll(fd, OUT, timeout))


def is_hung_up(fd: int) -> bool:
    """Whether the peer of ``fd`` has closed its side, even with unread data in front of that."""
    return bool(poll(fd, RDHUP, 0) & (RDHUP | HUP | ERR))
