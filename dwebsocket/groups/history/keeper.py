"""The history of one backend: keeps what is sent, and hands it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dwebsocket.groups.envelope import encode, pack
from dwebsocket.groups.members import Member, Members
from dwebsocket.groups.numbers import Numberer

from .feeds import Feeds, Wish
from .positions import Position, parse_position
from .rules import Rule
from .store import HistoryStore, Log, Recall, read_content, read_since

__all__ = ["Joined", "Keeper"]


class Joined(NamedTuple):
    """What ``Group.add()`` tells of a group with a history.

    Attributes:
        position: from here on the member gets everything: for the next ``since``.
        recovered: whether it got all since the position that was given. If ``False`` it got none
            of that, but the newest ones if it asked for them, and the page has to begin anew.
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
        self.feeds = Feeds(members, store)
        self._members = members
        self._store = store
        self._numberer = numberer
        self._carry = carry

    def append(self, name: str, content: str | bytes, rule: Rule, exclude: Any) -> None:
        """Keep a message, and have all members get it but ``exclude``.

        Raises:
            GroupUnavailable: nobody got it, or nobody knows whether anybody did.
        """
        kind, body = encode(content)
        data = pack(kind, body, *self._numberer.next(name))
        self.leave_out(name, data, exclude)
        self._carry(name, self._store.append(name, data, rule), data)

    def leave_out(self, name: str, data: bytes, exclude: Any) -> None:
        """Let this member not get the message when it comes; which it may do although whoever has
        sent it was told that perhaps nobody gets it.
        """
        if exclude is not None and self._members.has(name, exclude):
            self.feeds.exclude(name, data, exclude)

    def join(
        self,
        name: str,
        member: Member,
        subscribe: Callable[[str], None],
        since: str | None,
        newest: int,
        *,
        positions: bool,
    ) -> Joined:
        """Make it a member that has everything since a position.

        Args:
            newest: without a position, or if that is of no use, so many of the newest come first.

        Raises:
            GroupUnavailable: nobody can say what was sent. It may be a member then.
        """
        wish = Wish(find_position(since), newest, positions)
        position, recovered = self.feeds.join(name, member, subscribe, wish)
        return Joined(str(position), recovered)

    def recall(self, name: str, since: str | None, limit: int) -> Recall:
        """What is kept.

        Raises:
            GroupUnavailable: nobody can say.
        """
        found = find_position(since)
        if found is None:
            log, recovered = self._store.read(name, None, limit), True
        else:
            log, recovered = read_since(self._store, name, found, limit)
        contents = [read_content(name, kept.data) for kept in log.kept]
        messages = [content for content in contents if isinstance(content, (str, bytes))]
        return Recall(messages, str(position_behind(log, found)), recovered)

    def close(self) -> None:
        """Hand out nothing any more; in a forked child, too, where the members are the parent's."""
        self.feeds.close()


#: What a page brings that is no position: nobody knows what it has missed.
NOWHERE = Position("", 0)


def find_position(since: str | None) -> Position | None:
    """The position that a page has brought; an empty one is none."""
    return (parse_position(since) or NOWHERE) if since else None


def position_behind(log: Log, since: Position | None) -> Position:
    """That of the last message of these; of the group, if those are all."""
    if since is None or not log.kept:
        return log.last
    return Position(log.last.epoch, log.kept[-1].offset)
