"""``Group``: everybody who is in it gets what is sent to it, in whatever process they are."""

from __future__ import annotations

from .base import Counts
from .current import count_slow, find_backend, get_backend, get_members, get_slow
from .group import Group
from .history import Joined, Recall
from .members import ClientPositions, Hooks, Member
from .presence import People
from .recent import recent

__all__ = [
    "ClientPositions",
    "Counts",
    "Group",
    "Hooks",
    "Joined",
    "People",
    "Recall",
    "count_slow",
    "find_recent",
    "get_counts",
    "leave_all",
    "settle",
    "settle_own",
]


def get_counts() -> Counts:
    """What this process has sent to others and received from them, and whom it had to close."""
    return get_backend().get_counts()._replace(slow=get_slow())


def settle(timeout: float) -> None:
    """Wait until what this process and others have sent to groups has been handed out here."""
    backend = find_backend()
    if backend is not None:
        backend.settle(timeout)
    settle_own(timeout)


def settle_own(timeout: float) -> None:
    """Wait until what this process is sending just now is with all others, too."""
    recent.settle(timeout)


def find_recent(count: int) -> tuple[list[str], int]:
    """What groups have handed out here lately (``PreparedMessage.identity``), but for the first
    ``count`` messages, and how many there were by now.
    """
    return recent.since(count)


def leave_all(websocket: Member) -> None:
    """Take a closed WebSocket out of all its groups. Never waits, never raises."""
    backend = find_backend()
    if backend is not None and backend.presence is not None:
        backend.presence.leave(websocket)
    emptied = get_members().leave(websocket)
    if backend is not None:
        for name in emptied:
            backend.unsubscribe(name)
