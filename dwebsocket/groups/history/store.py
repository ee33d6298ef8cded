"""What a backend keeps of groups. One object a process; safe from any thread."""

from __future__ import annotations

import logging
from typing import NamedTuple, Protocol

from dwebsocket.groups.envelope import Closing, PresenceChanged, unpack

from .positions import Position
from .rules import Rule

__all__ = [
    "FORGOTTEN",
    "HistoryStore",
    "Kept",
    "Log",
    "Recall",
    "is_whole",
    "read_content",
    "read_since",
]

logger = logging.getLogger("dwebsocket.groups")

#: Seconds without a message after which a group may be forgotten, and begins anew.
FORGOTTEN = 7 * 86_400


class Kept(NamedTuple):
    """One message: its number and what ``envelope.pack`` has made of it."""

    offset: int
    data: bytes


class Log(NamedTuple):
    """What is kept of a group.

    Attributes:
        last: the position of the newest message that there has been.
        kept: the messages that were asked for, the oldest first.
    """

    last: Position
    kept: list[Kept]


class Recall(NamedTuple):
    """What ``Group.history()`` and ``Group.add()`` tell.

    Attributes:
        messages: what was sent, the oldest first.
        position: that of the last of them, or of the group: for the next ``since``.
        recovered: whether nothing is missing since the position that was given. If ``False``, there
            are no messages, and the page has to load anew.
    """

    messages: list[str | bytes]
    position: str
    recovered: bool


class HistoryStore(Protocol):
    """Keeps the messages of all groups that keep some."""

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        """Keep one more, and forget what the rule does not keep.

        Raises:
            GroupUnavailable: it is not kept, or nobody knows whether it is.
        """
        ...

    def read(self, name: str, after: int | None, limit: int | None) -> Log:
        """What is kept behind the offset ``after``, ``limit`` messages at most; with ``None`` the
        newest ones. A group of which nothing is known begins here, at 0.

        Raises:
            GroupUnavailable: nobody can say.
        """
        ...

    def renew(self, name: str, epoch: str) -> None:
        """Forget the group, which begins anew with another epoch, unless this is not its epoch any
        more: what was handed out under it is not what is kept.

        Raises:
            GroupUnavailable: nobody knows whether it is forgotten.
        """
        ...


def read_since(
    store: HistoryStore, name: str, since: Position, limit: int | None = None
) -> tuple[Log, bool]:
    """All that came behind a position, and whether that is so: otherwise nothing.

    Raises:
        GroupUnavailable: nobody can say.
    """
    log = store.read(name, since.offset, limit)
    if log.last.epoch == since.epoch and is_whole(log, since.offset, limit):
        return log, True
    return Log(log.last, []), False


def is_whole(log: Log, after: int, limit: int | None) -> bool:
    """Whether none is missing, in between and at the end, either: each has its own time."""
    expected = range(after + 1, after + 1 + len(log.kept))
    if [one.offset for one in log.kept] != [*expected]:
        return False
    return len(log.kept) == limit or after + len(log.kept) == log.last.offset


def read_content(name: str, data: bytes) -> str | bytes | Closing | None:
    """What was sent; ``None``, and a line in the log, if it is none of ours."""
    try:
        content = unpack(data).content
    except ValueError as error:
        logger.warning("What the history has of the group %r is no message: %s", name, error)
        return None
    return None if isinstance(content, PresenceChanged) else content
