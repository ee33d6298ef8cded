"""The history of one backend: keeps what is sent, and hands it out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from dwebsocket.groups.envelope import Parcel, encode, pack, unpack
from dwebsocket.groups.members import Member, Members
from dwebsocket.groups.numbers import Numberer

from .feeds import Feeds
from .positions import Position, parse_position
from .rules import Rule
from .store import HistoryStore, Log, Recall, read_since

__all__ = ["Joined", "Keeper"]

#: Seconds after which a message that was sent does not come any more.
REMEMBERED = 60.0


class Joined(NamedTuple):
    """What ``Group.add()`` tells of a group with a history.

    Attributes:
        position: from here on the member gets everything: for the next ``since``.
        recovered: whether it got all since the position that was given. If ``False`` it got
            nothing, and the page has to load anew.
    """

    position: str
    recovered: bool


class Keeper:
    """What a backend does for groups that keep messages.

    Args:
        store: where they are kept.
        carry: takes what was kept to the members in this process and in others, unless the store
            has done so.

    Attributes:
        feeds: what this process has handed out.
    """

    def __init__(
        self,
        members: Members,
        store: HistoryStore,
        numberer: Numberer,
        carry: Callable[[str, Position, bytes], None],
    ) -> None:
        self.feeds = Feeds(members, store, self.take_excluded)
        self._members = members
        self._store = store
        self._numberer = numberer
        self._carry = carry
        self._lock = threading.Lock()  # held for an instant
        # In the order in which they are to be forgotten, with the time of that.
        self._excluded: dict[tuple[bytes, int], tuple[float, Any]] = {}

    def append(self, name: str, content: str | bytes, rule: Rule, exclude: Any) -> None:
        """Keep a message, and have all members get it but ``exclude``.

        Raises:
            GroupUnavailable: nobody got it, or nobody knows whether anybody did.
        """
        kind, body = encode(content)
        origin, number = self._numberer.next(name)
        self.leave_out(name, origin, number, exclude)
        data = pack(kind, body, origin, number)
        self._carry(name, self._store.append(name, data, rule), data)

    def leave_out(self, name: str, origin: bytes, number: int, exclude: Any) -> None:
        """Let this member not get the message of that number when it comes. If it does not come,
        the member is forgotten after a while.
        """
        if exclude is None or not self._members.has(name, exclude):
            return
        now = time.monotonic()
        with self._lock:
            excluded = self._excluded
            while excluded and excluded[oldest := next(iter(excluded))][0] < now:
                del excluded[oldest]
            excluded[origin, number] = (now + REMEMBERED, exclude)

    def take_excluded(self, parcel: Parcel) -> Any:
        """Who was left out of this message, if this process has sent it."""
        if not self._excluded:
            return None
        with self._lock:
            return self._excluded.pop((parcel.origin, parcel.number), (0, None))[1]

    def join(
        self,
        name: str,
        member: Member,
        subscribe: Callable[[str], None],
        since: str | None,
        rule: Rule,
        *,
        positions: bool,
    ) -> Joined:
        """Make it a member that has everything since a position.

        Raises:
            GroupUnavailable: nobody can say what was sent. It is a member then, from now on.
        """
        found = None if since is None else parse_position(since) or NOWHERE
        position, recovered = self.feeds.join(
            name, member, subscribe, found, rule, positions=positions
        )
        return Joined(str(position), recovered)

    def recall(self, name: str, since: str | None, limit: int) -> Recall:
        """What is kept.

        Raises:
            GroupUnavailable: nobody can say.
        """
        if since is None:
            log, recovered = self._store.read(name, None, limit), True
        else:
            log, recovered = read_since(self._store, name, parse_position(since) or NOWHERE, limit)
        contents = [unpack(kept.data).content for kept in log.kept]
        messages = [content for content in contents if not isinstance(content, tuple)]
        return Recall(messages, str(position_behind(log, since)), recovered)


#: What a page brings that is no position: nobody knows what it has missed.
NOWHERE = Position("", 0)


def position_behind(log: Log, since: str | None) -> Position:
    """That of the last message of these; of the group, if those are all."""
    if since is None or not log.kept:
        return log.last
    return Position(log.last.epoch, log.kept[-1].offset)
