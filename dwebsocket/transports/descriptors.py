"""The descriptors of this process: how many it may open, and those that WebSockets leave to others.

A process that has none left can answer nothing: its database, a log file, a module that is imported
at the first error, the next connection, each needs one; some servers end when they cannot accept.
So WebSockets keep out of the last part of the table. Should others have filled that, there is a
reserve: it is closed, so that the refusal of a WebSocket has what it needs, and opened again when
there is room. A process that ends closes it, too: it has to find those that go on.
"""

from __future__ import annotations

import errno
import os
import socket
import threading

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

__all__ = [
    "check_room",
    "count_room",
    "find_dead",
    "find_limit",
    "find_share",
    "give_reserve",
    "has_room",
    "is_full",
    "share_of",
]

#: What WebSockets leave to others: this part of the table, but not more than so many.
PART, MOST = 10, 100

#: What is said to be free where nobody knows.
MOST_ROOM = 1_000_000

#: Descriptors in the reserve: as many as the start of another process takes, and one.
RESERVE = 6

#: The dead socket of this process, by its pid: a fork makes its own, and keeps its parent's.
dead_sockets: dict[int, socket.socket] = {}

#: The reserve.
held: list[int] = []
lock = threading.Lock()


def find_limit() -> int | None:
    """How many descriptors the process may have open, ``None``: no limit is known."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def find_share() -> int | None:
    """The numbers below which WebSockets have their descriptors."""
    limit = find_limit()
    return None if limit is None else share_of(limit)


def share_of(limit: int) -> int:
    """How many of so many descriptors WebSockets do not leave to others."""
    return limit - min(limit // PART, MOST)


def count_room() -> int:
    """How many descriptors WebSockets may still open in this process."""
    share = find_share()
    if share is None:
        return MOST_ROOM
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            used = len(os.listdir(directory))  # noqa: PTH208  # Path takes longer
        except OSError as error:
            if is_full(error):  # to look takes one, too
                return 0
            continue
        return max(0, share - used)
    return MOST_ROOM


def find_dead() -> int:
    """The descriptor of a socket whose peer has gone, made once in a process."""
    pid = os.getpid()
    dead = dead_sockets.get(pid)
    if dead is None:
        made, peer = socket.socketpair()
        peer.close()
        dead = dead_sockets.setdefault(pid, made)  # another thread may have been faster
    return dead.fileno()


def check_room(limit: int | None) -> None:
    """See to it that a WebSocket leaves descriptors to others.

    Args:
        limit: as ``find_limit`` has it.

    Raises:
        OSError: it would not; ``is_full`` knows it.
    """
    if resource is None:
        return
    try:
        lowest = os.dup(find_dead())  # of the numbers that are free
        socket.close(lowest)  # gevent's os.close() waits for the next round of its loop
        if not held:
            hold()
    except OSError:
        give_reserve()
        raise
    if limit is not None and lowest >= share_of(limit):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def has_room(count: int, descriptor: int) -> bool:
    """Whether WebSockets may open so many.

    Args:
        descriptor: any that is open.
    """
    share = find_share()
    opened: list[int] = []
    try:
        while share is not None and len(opened) < count:
            opened.append(os.dup(descriptor))  # it is faster than to count those that are open
            if opened[-1] >= share:
                return False
    except OSError:
        return False
    finally:
        for one in opened:
            socket.close(one)
    return True


def is_full(error: OSError) -> bool:
    """Whether it says that there is no further descriptor, for the process or for the system."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def hold() -> None:
    """Open the reserve."""
    with lock:
        while len(held) < RESERVE:
            held.append(os.dup(find_dead()))


def give_reserve() -> None:
    """Close the reserve: who refuses a WebSocket now may need it, or hands one over."""
    with lock:
        while held:
            socket.close(held.pop())


def forget() -> None:
    """In a forked child, which may close what it has not opened: it holds back its own."""
    global lock
    lock = threading.Lock()  # the parent may have held it
    held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
