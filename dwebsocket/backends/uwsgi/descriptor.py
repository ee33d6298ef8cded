"""The bare descriptor of a connection: going on with a copy, and what is put under uWSGI's own."""

from __future__ import annotations

import os
import socket
from typing import Any

__all__ = ["copy_socket", "leave_nothing", "put_under"]


def copy_socket(fd: int, *, gevent: bool) -> Any:
    """A socket over a copy of the descriptor, of the kind that uWSGI's loop waits with."""
    plain = socket.socket(fileno=os.dup(fd))
    if not gevent:
        return plain
    from gevent.socket import socket as gevent_socket

    return gevent_socket(plain.family, plain.type, plain.proto, plain.detach())


def leave_nothing(fd: int, *, gevent: bool) -> None:
    """Go on with a copy alone: what uWSGI writes to the descriptor from now on vanishes.

    A dead socket would do as well, but that uWSGI writes to one is three lines in its log.
    """
    file = os.open(os.devnull, os.O_RDWR)  # nothing else can fail
    if gevent:
        from gevent import get_hub

        from dwebsocket.transports.gevent import forget

        forget(get_hub().loop.fileno(), fd)
    move(file, fd)


def put_under(fd: int, path: str, flags: int) -> None:
    """Make the descriptor one of this file."""
    move(os.open(path, flags), fd)


def move(file: int, fd: int) -> None:
    os.dup2(file, fd, inheritable=False)
    os.close(file)
