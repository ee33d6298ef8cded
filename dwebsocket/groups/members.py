"""Who of this process is in which group. Knows no socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from dwebsocket.protocol.prepared import PreparedMessage

__all__ = ["ClientPositions", "Hooks", "Member", "Members"]


class Hooks(Protocol):
    """The methods of a handler that its groups call. Each has its turn: none runs beside another
    method of that handler.
    """

    @property
    def hears_presence(self) -> bool:
        """Whether it has written ``on_presence``."""
        ...

    @property
    def hears_loss(self) -> bool:
        """Whether it has written ``on_history_lost``."""
        ...

    @property
    def presence_limit(self) -> int | None:
        """How many keys it is told of at most; ``None``: however many."""
        ...

    def tell(self, hook: str, group: str, take: Callable[[], tuple[Any, ...] | None]) -> None:
        """Call that method, between ``on_open`` and ``on_close``, with what ``take`` returns when
        its turn has come; not at all if that is ``None``. Until then it need not be asked for
        again. Never waits, never raises.
        """
        ...


class ClientPositions(Protocol):
    """Those of a client that keeps by itself where it is in each group with a history, and says so
    when it comes back. Nothing here waits or raises.
    """

    def take(self, group: str) -> str | None:
        """The position that it has brought of this group, once."""
        ...

    def tell(self, group: str, position: str, *, recovered: bool) -> None:
        """It is here now: it has joined, and whether nothing is missing; or something is lost."""
        ...

    def send(self, group: str, position: str, message: PreparedMessage) -> None:
        """As ``Member.send_nowait``, of a message at that position."""
        ...

    def forget(self, group: str) -> None:
        """It is in this group no more."""
        ...


class Member(Protocol):
    """What a group knows of a WebSocket. Hashable, and compares by identity."""

    @property
    def accepted(self) -> bool:
        """Whether the 101 has been sent."""
        ...

    @property
    def _has_ended(self) -> bool:
        """Whether it has left its groups, and may not join one any more."""
        ...

    @property
    def _hooks(self) -> Hooks | None:
        """Those of its handler; ``None``: it has written none of them, or is a view."""
        ...

    @property
    def _positions(self) -> ClientPositions | None:
        """Of a client that keeps them by itself; ``None``: it is another."""
        ...

    def send_nowait(self, message: PreparedMessage) -> None:
        """Send a message. Never waits, never raises."""
        ...

    def close_nowait(self, code: int, reason: str) -> None:
        """Begin the closing handshake behind what ``send_nowait`` has sent. Never waits, never
        raises.
        """
        ...


class Members:
    """The members of all groups, in the order in which they joined. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant, never across a wait
        # With each member whether it is told positions.
        self._groups: dict[str, dict[Member, bool]] = {}
        self._names: dict[Member, set[str]] = {}
        self._wanted: set[str] = set()  # though they have no members, perhaps

    def add(self, name: str, member: Member, *, positions: bool = False) -> None:
        """Put the member into the group.

        Args:
            positions: whether it is told the position of each message.
        """
        with self._lock:
            self._groups.setdefault(name, {})[member] = positions
            self._names.setdefault(member, set()).add(name)

    def discard(self, name: str, member: Member) -> bool:
        """Take the member out of the group; whether that has left the group empty."""
        with self._lock:
            names = self._names.get(member)
            if names is None or name not in names:
                return False
            names.remove(name)
            if not names:
                del self._names[member]
            return self._take_out(name, member)

    def leave(self, member: Member) -> list[str]:
        """Take the member out of all its groups; the names of those that are empty now."""
        if member not in self._names:
            return []
        with self._lock:
            names = self._names.pop(member, ())
            return [name for name in names if self._take_out(name, member)]

    def _take_out(self, name: str, member: Member) -> bool:
        group = self._groups[name]
        del group[member]
        if group:
            return False
        del self._groups[name]
        return True

    def of(self, name: str) -> list[Member]:
        """The members of a group, as they are now."""
        with self._lock:
            return list(self._groups.get(name, ()))

    def with_wishes(self, name: str) -> list[tuple[Member, bool]]:
        """The same, and whether each is told positions."""
        with self._lock:
            return list(self._groups.get(name, {}).items())

    def has(self, name: str, member: Member) -> bool:
        """Whether the member is in the group."""
        with self._lock:
            return name in self._names.get(member, ())

    def groups_of(self, member: Member) -> list[str]:
        """The groups in which the member is."""
        with self._lock:
            return sorted(self._names.get(member, ()))

    def count(self, name: str) -> int:
        """How many members the group has."""
        with self._lock:
            return len(self._groups.get(name, ()))

    # What this process hears of

    def want(self, name: str) -> None:
        """Hear of a group even without members, until ``forgo``."""
        with self._lock:
            self._wanted.add(name)

    def forgo(self, name: str) -> None:
        """Hear of it because of its members only."""
        with self._lock:
            self._wanted.discard(name)

    def is_wanted(self, name: str) -> bool:
        """Whether this process is to get what is sent to the group."""
        with self._lock:
            return name in self._groups or name in self._wanted

    def names(self) -> list[str]:
        """The groups of which it is."""
        with self._lock:
            return [*self._groups, *(self._wanted - self._groups.keys())]
