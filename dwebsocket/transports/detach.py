"""Taking a connection away from its server while its request ends.

We go on with a copy of the descriptor. Under the server's own descriptor a dead socket is put, one
whose peer has gone: the server finds that its client has left, and closes it.
"""

from __future__ import annotations

import os
import socket

__all__ = ["replace_by_dead"]

#: The dead socket of this process, by its pid: a fork makes its own.
dead_sockets: dict[int, socket.socket] = {}


def replace_by_dead(fd: int) -> None:
    """Put the dead socket under ``fd``."""
    pid = os.getpid()
    if pid not in dead_sockets:
        dead_sockets.clear()
        dead_sockets[pid], peer = socket.socketpair()
        peer.close()
    os.dup2(dead_sockets[pid].fileno(), fd, inheritable=False)
