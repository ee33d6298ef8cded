"""Taking a connection away from its server while its request ends.

We go on with a copy of the descriptor. Under the server's own descriptor a dead socket is put, one
whose peer has gone: the server finds that its client has left, and closes it.
"""

from __future__ import annotations

import os
import socket

try:
    from fcntl import F_DUPFD_CLOEXEC, fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["ABOVE_SELECT", "duplicate", "replace_by_dead"]

#: ``select()`` can use lower descriptors only: connections of which there are many stay above, so
#: that they leave those to servers (waitress) and views that wait with it.
ABOVE_SELECT = 1024

#: The dead socket of this process, by its pid: a fork makes its own, and keeps its parent's.
dead_sockets: dict[int, socket.socket] = {}


def duplicate(fd: int, lowest: int = 0) -> int:
    """Another descriptor of the same open file, not inherited by child processes; not below
    ``lowest``, where the platform's limit allows it.
    """
    if fcntl is not None:
        try:
            return fcntl(fd, F_DUPFD_CLOEXEC, lowest)
        except OSError:  # the process may not open as many
            pass
    return os.dup(fd)


def replace_by_dead(fd: int) -> None:
    """Put the dead socket under ``fd``."""
    pid = os.getpid()
    dead = dead_sockets.get(pid)
    if dead is None:
        made, peer = socket.socketpair()
        peer.close()
        dead = dead_sockets.setdefault(pid, made)  # another thread may have been faster
    os.dup2(dead.fileno(), fd, inheritable=False)
