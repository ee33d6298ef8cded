"""What this process has handed out of one group's kept messages."""

from __future__ import annotations

import threading

from dwebsocket.groups.envelope import identify
from dwebsocket.groups.members import Member

from .positions import Position
from .store import Log

__all__ = ["MAX_EARLY", "Feed"]

#: Messages that may wait for one before them. The store has those that are kept.
MAX_EARLY = 10_000


class Feed:
    """Of one group.

    Attributes:
        lock: guards the rest. Whoever has it reads the store, and sends without waiting.
        position: that of the last message that was handed out.
        last: what that one is identified by, ``None`` if this process has not seen it.
        early: messages that have come before others that must be handed out first.
        over: the epoch before this one: what was lost of it does not come any more.
        behind: those that are not kept, and the positions behind which they belong.
        doubted: since when something may be missing, ``time.monotonic()``; ``None``: nothing is.
        is_unsure: whether the store may have lost what it had, and uses its numbers again.
        is_new: whether its first member is joining.
        joining: members that get what comes from the store first.
        is_dropped: whether another one has taken its place.
    """

    __slots__ = (
        "behind",
        "doubted",
        "early",
        "is_dropped",
        "is_new",
        "is_unsure",
        "joining",
        "last",
        "lock",
        "over",
        "position",
    )

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.joining: set[Member] = set()
        self.is_dropped = self.is_new = False
        self.position: Position | None = None
        self.last: bytes | None = None
        self.over: str | None = None
        self.forget()

    def forget(self) -> None:
        """Nobody waits for anything."""
        self.early: dict[Position, bytes] = {}
        self.behind: list[tuple[Position, bytes]] = []
        self.doubted: float | None = None
        self.is_unsure = False

    def begin(self, log: Log) -> None:
        """Its first member joins behind this log, which has the last message."""
        self.forget()
        self.is_new = True
        self.position = log.last
        self.last = None
        if log.kept and log.kept[-1].offset == log.last.offset:
            self.last = identify(log.kept[-1].data)

    def advance(self, position: Position, data: bytes) -> None:
        """This one is handed out."""
        self.position = position
        self.last = identify(data)

    def skip_to(self, position: Position) -> None:
        """What is up to there is lost."""
        if position.epoch != self.epoch:
            self.over = self.epoch
        self.position = position
        self.last = None

    @property
    def epoch(self) -> str | None:
        """That of the last message."""
        return None if self.position is None else self.position.epoch

    def has_reached(self, position: Position) -> bool:
        """Whether the message with this position was handed out."""
        here = self.position
        return here is None or (here.epoch == position.epoch and here.offset >= position.offset)

    def add_early(self, position: Position, data: bytes) -> None:
        """It waits; of too many the first one does not: it comes from the store."""
        self.early[position] = data
        if len(self.early) > MAX_EARLY:
            del self.early[next(iter(self.early))]

    def is_contradicted_by(self, log: Log) -> bool:
        """Whether the store, which says this, has lost what was handed out."""
        here = self.position
        if here is None or log.last.epoch != here.epoch:
            return False
        if log.last.offset < here.offset:
            return True
        first = log.kept[0] if log.kept else None
        return (
            first is not None
            and self.last is not None
            and first.offset == here.offset
            and identify(first.data) != self.last
        )

    def is_followed_by(self, log: Log) -> bool:
        """Whether this log has all that comes behind what was handed out."""
        here = self.position
        assert here is not None
        behind = next((kept.offset for kept in log.kept if kept.offset > here.offset), None)
        if log.last.epoch != here.epoch:
            return False
        return log.last.offset == here.offset if behind is None else behind == here.offset + 1

    def take_waiting(self, log: Log) -> tuple[list[bytes], list[tuple[Position, bytes]]]:
        """All that waits, now that this log is known: those of other epochs, in the order in which
        they came; and those of this one together with the log's, in order.
        """
        epoch = log.last.epoch
        others = [data for position, data in self.early.items() if position.epoch != epoch]
        found = {position: data for position, data in self.early.items() if position.epoch == epoch}
        found.update((Position(epoch, kept.offset), kept.data) for kept in log.kept)
        self.early = {}
        return others, sorted(found.items())
