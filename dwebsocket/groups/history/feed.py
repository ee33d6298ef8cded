"""How far this process has handed out the kept messages of one group, and what comes next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dwebsocket.groups.delivery import Message, send, tell_position
from dwebsocket.groups.envelope import Parcel, unpack
from dwebsocket.groups.members import Member, Members

from .positions import Position
from .store import HistoryStore, Log, read_since

__all__ = ["INTERVAL", "Feed"]

#: Seconds after which what has not come is looked for in the store, and between two such looks.
INTERVAL = 0.1

#: Seconds for which it may still be on its way though the store does not have it any more.
PATIENCE = 2.0

#: Messages that may wait for one before them, and their bytes; the others are read of the store.
MAX_EARLY, MAX_EARLY_BYTES = 1000, 16 << 20


class Feed:
    """Of one group. Whoever calls a method holds the lock, reads the store, and sends without
    waiting.

    Args:
        tell_lost: called when messages are lost to the members of this process.

    Attributes:
        lock: guards the rest.
        position: that of the last message that was handed out; ``None``: nobody who has joined here
            asks for order.
        doubted: since when something may be missing, ``time.monotonic()``; ``None``: nothing is.
        joining: members that get what comes from the store first.
        is_dropped: whether another one has taken its place.
    """

    __slots__ = (
        *("_ahead", "_early", "_early_bytes", "_excluded", "_members", "_must_look", "_name"),
        *("_store", "_tell_lost", "doubted", "is_dropped", "joining", "lock", "position"),
    )

    def __init__(
        self,
        name: str,
        members: Members,
        store: HistoryStore,
        tell_lost: Callable[[str], None],
    ) -> None:
        self.lock = threading.Lock()
        self.joining: set[Member] = set()
        self.is_dropped = False
        self._name = name
        self._members = members
        self._store = store
        self._tell_lost = tell_lost
        self._excluded: dict[tuple[bytes, int], Member] = {}
        self._ahead: dict[Member, int] = {}
        self.begin(None)

    def begin(self, position: Position | None) -> None:
        """Go on behind this position, and forget what was before."""
        self.position = position
        self.doubted: float | None = None
        self._early: dict[Position, bytes] = {}
        self._early_bytes = 0
        self._must_look = False

    # Who does not get what

    def exclude(self, origin: bytes, number: int, member: Member) -> None:
        """Leave out a member when this message is handed out."""
        self._excluded[origin, number] = member

    def include(self, origin: bytes, number: int) -> None:
        """Nobody is left out: the message will not come."""
        self._excluded.pop((origin, number), None)

    def hold_until(self, member: Member, offset: int) -> None:
        """The member has what comes up to this one already."""
        self._ahead[member] = offset

    # What comes

    def receive(self, position: Position, data: bytes) -> None:
        """A message has come. One that others must be handed out before waits for those."""
        known = self.position
        if known is None or position == known.next:
            self._hand_out(position, data)
            self._hand_out_early()
            if not (self._early or self._must_look):
                self.doubted = None
        elif position.epoch != known.epoch or position.offset > known.offset:
            self._keep_early(position, data)
            self.doubt()
        else:
            self._forget(data)  # it was read of the store

    def _keep_early(self, position: Position, data: bytes) -> None:
        if len(self._early) < MAX_EARLY and self._early_bytes < MAX_EARLY_BYTES:
            self._early[position] = data
            self._early_bytes += len(data)

    def _take_early(self, position: Position) -> bytes | None:
        data = self._early.pop(position, None)
        if data is not None:
            self._early_bytes -= len(data)
        return data

    def _forget(self, data: bytes) -> None:
        if self._excluded:
            parcel = unpack(data)
            self.include(parcel.origin, parcel.number)

    def _hand_out(self, position: Position, data: bytes) -> None:
        if self.position is not None:
            self.position = position
        parcel = unpack(data)
        exclude = self._take_excluded(parcel)
        if not isinstance(parcel.content, (str, bytes)):
            return
        message = Message(self._name, parcel.content, str(position))
        ahead, joining = self._ahead, self.joining
        for member, positions in self._members.with_wishes(self._name):
            if member is exclude or member in joining:
                continue
            if not ahead or ahead.get(member, 0) < position.offset:
                send(self._name, member, message.with_position if positions else message.plain)
        if ahead:
            self._ahead = {one: last for one, last in ahead.items() if last > position.offset}

    def _take_excluded(self, parcel: Parcel) -> Member | None:
        if not self._excluded:
            return None
        return self._excluded.pop((parcel.origin, parcel.number), None)

    def _hand_out_early(self) -> None:
        while self._early and self.position is not None:
            following = self.position.next
            data = self._take_early(following)
            if data is None:
                return
            self._hand_out(following, data)

    # What has not come

    def doubt(self, *, must_look: bool = False) -> None:
        """Something may be missing.

        Args:
            must_look: whether nothing that comes can show that nothing is.
        """
        self._must_look |= must_look
        if self.doubted is None:
            self.doubted = time.monotonic()

    def catch_up(self) -> None:
        """Hand out what the store has and what has not come yet.

        Raises:
            GroupUnavailable: the store cannot say what it has.
        """
        assert self.position is not None
        log, is_whole = read_since(self._store, self._name, self.position)
        if is_whole or log.last.epoch != self.position.epoch:
            self._take_over(log, is_whole=is_whole)
        else:
            self.doubt()  # what the store does not have any more may be on its way

    def settle(self, now: float) -> None:
        """Hand out what the store has, or find that it is lost, or wait on.

        Raises:
            GroupUnavailable: the store cannot say what it has.
        """
        known, since = self.position, self.doubted
        if known is None or since is None or not self._members.count(self._name):
            self.begin(known)
            return
        log, is_whole = read_since(self._store, self._name, known)
        if is_whole or log.last.epoch != known.epoch or now >= since + PATIENCE:
            self._take_over(log, is_whole=is_whole)
            self._must_look = False
            self.doubted = now if self._early else None  # those may be on their way

    def _take_over(self, log: Log, *, is_whole: bool) -> None:
        """Hand out what was read of the store, and what is known to be behind that."""
        kept = dict(log.kept) if is_whole else self._lose(log.last)
        for offset in sorted(kept):
            self._hand_out(Position(log.last.epoch, offset), kept[offset])
        self._forget_late()
        self._hand_out_early()

    def _forget_late(self) -> None:
        """Forget the early ones that are not behind what was handed out."""
        assert self.position is not None
        epoch, last = self.position
        for one in [one for one in self._early if one.epoch != epoch or one.offset <= last]:
            data = self._take_early(one)
            assert data is not None
            self._forget(data)

    def _lose(self, last: Position) -> dict[int, bytes]:
        """Something before that position is lost for good to the members of this process; what is
        behind it, up to there.
        """
        known = self.position
        assert known is not None
        after = known.offset if known.epoch == last.epoch else 0
        log = self._store.read(self._name, after, None)
        found = {one.offset: data for one, data in self._early.items() if one.epoch == last.epoch}
        found.update(log.kept if log.last.epoch == last.epoch else ())
        start = last.offset
        while start in found:
            start -= 1
        self.position = Position(last.epoch, start)
        self._tell_lost(self._name)
        for member, positions in self._members.with_wishes(self._name):
            if member not in self.joining:
                self._tell_lost_to(member, positions)
        self._ahead.clear()
        return {offset: data for offset, data in found.items() if start < offset <= last.offset}

    def _tell_lost_to(self, member: Member, positions: bool) -> None:
        if positions:
            tell_position(self._name, member, str(self.position), recovered=False)
        hooks = member._hooks
        if hooks is not None and hooks.hears_loss:
            hooks.tell("on_history_lost", self._name, lambda: (self._name,))
