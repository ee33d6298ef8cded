"""Taking a connection away from its server while its request ends.

We go on with a copy of the descriptor. Under the server's own descriptor a dead socket is put, one
whose peer has gone: the server finds that its client has left, and closes it.
"""

from __future__ import annotations

import os
import socket

from .descriptors import find_dead, find_share

try:
    from fcntl import F_DUPFD_CLOEXEC, fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["ABOVE_SELECT", "duplicate", "replace_by_dead"]

#: ``select()`` can use lower descriptors only: connections of which there are many stay above, so
#: that they leave those to servers (waitress) and views that wait with it.
ABOVE_SELECT = 1024


def duplicate(fd: int, lowest: int = 0) -> int:
    """Another descriptor of the same open file, not inherited by child processes; not below
    ``lowest``, where the platform's limit allows it and leaves some to others.
    """
    share = find_share() if lowest else None
    if fcntl is not None and (share is None or lowest < share):
        try:
            copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest)
        except OSError:  # the process may not open as many
            return os.dup(fd)
        if share is None or copy < share:
            return copy
        socket.close(copy)
    return os.dup(fd)


def replace_by_dead(fd: int) -> None:
    """Put the dead socket under ``fd``; it needs no further descriptor once that is made."""
    os.dup2(find_dead(), fd, inheritable=False)
