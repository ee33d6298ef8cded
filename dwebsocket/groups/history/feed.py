"""How far this process has handed out the kept messages of one group, and what comes next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from operator import itemgetter

from dwebsocket.groups.delivery import deliver, tell_position
from dwebsocket.groups.envelope import identify
from dwebsocket.groups.members import Member, Members

from .positions import Position
from .store import HistoryStore, Kept, Log, is_whole, read_content

__all__ = ["INTERVAL", "Feed"]

#: Seconds after which what has not come is looked for in the store, and between two such looks.
INTERVAL = 0.1

#: Seconds for which it may still be on its way though the store does not have it any more.
PATIENCE = 2.0

#: Seconds after which what was sent does not come any more.
REMEMBERED = 60.0

#: Messages that may wait for one before them, and their bytes. Beyond, those that are kept are read
#: of the store, and the others do not wait.
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
        is_new: whether the first member who asks for order is joining.
        is_unsure: whether the store may have lost what it had, and uses its numbers again.
    """

    __slots__ = (
        *("_ahead", "_behind", "_early", "_early_bytes", "_excluded", "_last", "_members"),
        *("_must_look", "_name", "_store", "_tell_lost", "doubted", "is_dropped", "is_new"),
        *("is_unsure", "joining", "lock", "position"),
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
        self.is_dropped = self.is_new = False
        self.position: Position | None = None
        self._last: bytes | None = None  # what the last one is identified by, if it is known
        self._name = name
        self._members = members
        self._store = store
        self._tell_lost = tell_lost
        # In the order in which they are to be forgotten, with the time of that.
        self._excluded: dict[bytes, tuple[float, Member]] = {}
        self._ahead: dict[Member, int] = {}
        self.forget()

    def forget(self) -> None:
        """Nobody waits for anything."""
        self.doubted: float | None = None
        self.is_unsure = self._must_look = False
        self._early: dict[Position, bytes] = {}
        self._behind: list[tuple[Position, bytes]] = []
        self._early_bytes = 0

    def begin(self) -> None:
        """Go on behind what the store has: somebody joins who asks for order, as the first one.

        Raises:
            GroupUnavailable: the store cannot say what it has.
        """
        log = self._store.read(self._name, None, 1)
        self.forget()
        self.is_new = True
        self.position = log.last
        is_there = bool(log.kept) and log.kept[-1].offset == log.last.offset
        self._last = identify(log.kept[-1].data) if is_there else None

    # Who does not get what

    def exclude(self, data: bytes, member: Member) -> None:
        """Leave out a member when this message is handed out, if that is soon."""
        now, excluded = time.monotonic(), self._excluded
        while excluded and excluded[oldest := next(iter(excluded))][0] < now:
            del excluded[oldest]
        excluded[identify(data)] = (now + REMEMBERED, member)

    def _take_excluded(self, data: bytes) -> Member | None:
        if not self._excluded:
            return None
        _, member = self._excluded.pop(identify(data), (0.0, None))
        return member

    def hold_until(self, member: Member, offset: int) -> None:
        """The member has what comes up to this one already."""
        self._ahead[member] = offset

    # What comes

    def receive(self, position: Position, data: bytes) -> None:
        """A message has come. One that others must be handed out before waits for those."""
        known = self.position
        if known is None or (position == known.next and not self.is_unsure):
            self._hand_out(position, data)
            self._hand_out_early()
            if not (self._early or self._behind or self._must_look):
                self.doubted = None
        elif self.is_unsure or position.epoch != known.epoch or position.offset > known.offset:
            if self._has_room():
                self._early[position] = data
                self._early_bytes += len(data)
            self.doubt()
        else:
            self._take_excluded(data)  # it was read of the store

    def receive_behind(self, position: Position, data: bytes) -> None:
        """A message has come that is not kept, and belongs behind this position."""
        must_wait = self.is_unsure or bool(self._behind) or not self._has_reached(position)
        if must_wait and self._has_room():
            self._behind.append((position, data))
            self._early_bytes += len(data)
            self.doubt()
        else:
            self._hand_out_behind(everything=True)
            self._deliver(data, self._members.with_wishes(self._name))

    def _has_room(self) -> bool:
        waiting = len(self._early) + len(self._behind)
        return waiting < MAX_EARLY and self._early_bytes < MAX_EARLY_BYTES

    def _has_reached(self, position: Position) -> bool:
        here = self.position
        return here is None or (here.epoch == position.epoch and here.offset >= position.offset)

    def _take_early(self, position: Position) -> bytes | None:
        data = self._early.pop(position, None)
        if data is not None:
            self._early_bytes -= len(data)
        return data

    def _hand_out(self, position: Position, data: bytes) -> None:
        if self.position is not None:
            self.position = position
            self._last = identify(data)
        members, ahead = self._hearers(), self._ahead
        if ahead:
            members = [one for one in members if ahead.get(one[0], 0) < position.offset]
            self._ahead = {one: last for one, last in ahead.items() if last > position.offset}
        self._deliver(data, members, position)
        if self._behind:
            self._hand_out_behind()

    def _hearers(self) -> list[tuple[Member, bool]]:
        members, joining = self._members.with_wishes(self._name), self.joining
        return [one for one in members if one[0] not in joining] if joining else members

    def _deliver(
        self, data: bytes, members: list[tuple[Member, bool]], position: Position | None = None
    ) -> None:
        exclude = self._take_excluded(data)
        content = read_content(self._name, data)
        if content is not None:
            at = None if position is None else str(position)
            deliver(self._name, content, members, exclude, at, identify(data))

    def _hand_out_early(self) -> None:
        while self._early and self.position is not None:
            following = self.position.next
            data = self._take_early(following)
            if data is None:
                return
            self._hand_out(following, data)

    def _hand_out_behind(self, *, everything: bool = False) -> None:
        while self._behind and (everything or self._has_reached(self._behind[0][0])):
            _, data = self._behind.pop(0)
            self._early_bytes -= len(data)
            self._deliver(data, self._members.with_wishes(self._name))

    # What has not come

    def doubt(self, *, must_look: bool = False) -> None:
        """Something may be missing.

        Args:
            must_look: whether nothing that comes can show that nothing is.
        """
        self._must_look |= must_look
        if self.doubted is None:
            self.doubted = time.monotonic()

    def interrupt(self) -> None:
        """What was sent before now may not come any more, and the store may have lost what it had:
        see what it has before anything else is handed out.
        """
        if self.position is not None and not self.is_new:
            self.is_unsure = True
            self.doubt(must_look=True)

    def catch_up(self) -> None:
        """Hand out what the store has and what has not come yet.

        Raises:
            GroupUnavailable: the store cannot say what it has.
        """
        known = self.position
        assert known is not None
        log, is_all = self._look()
        if is_all or log.last.epoch != known.epoch or self.is_unsure:
            self._take_over(log, is_all=is_all)
        else:
            self.doubt()  # what the store does not have any more may be on its way

    def settle(self, now: float) -> None:
        """Hand out what the store has, or find that it is lost, or wait on.

        Raises:
            GroupUnavailable: the store cannot say what it has.
        """
        known, since = self.position, self.doubted
        if known is None or since is None or not self._members.count(self._name):
            self.forget()
            return
        log, is_all = self._look()
        is_late = self.is_unsure or now >= since + PATIENCE
        if is_all or log.last.epoch != known.epoch or is_late:
            self._take_over(log, is_all=is_all)
            self._must_look = False
            self.doubted = now if self._early else None  # those may be on their way

    def _look(self) -> tuple[Log, bool]:
        """What the store has behind what was handed out, or, if it has begun anew, all of it; and
        whether nothing in between is missing.
        """
        here = self.position
        assert here is not None
        log = self._store.read(self._name, max(0, here.offset - 1), None)
        if self._is_contradicted_by(log):
            self._store.renew(self._name, here.epoch)
        elif log.last.epoch == here.epoch:
            log = Log(log.last, [one for one in log.kept if one.offset > here.offset])
            return log, is_whole(log, here.offset, None)
        return self._store.read(self._name, 0, None), False

    def _is_contradicted_by(self, log: Log) -> bool:
        """Whether the store has lost what was handed out."""
        here = self.position
        assert here is not None
        if log.last.epoch != here.epoch:
            return False
        if log.last.offset < here.offset:
            return True
        found = [data for offset, data in log.kept[:1] if offset == here.offset]
        if here in self._early:
            found.append(self._early[here])
        return self._last is not None and any(identify(one) != self._last for one in found)

    def _take_over(self, log: Log, *, is_all: bool) -> None:
        """Hand out what was read of the store, and what is known to be behind that."""
        for offset, data in log.kept if is_all else self._lose(log):
            self._hand_out(Position(log.last.epoch, offset), data)
        self.is_unsure = False
        self._forget_late()
        self._hand_out_early()
        self._hand_out_behind(everything=True)

    def _forget_late(self) -> None:
        """Forget the early ones that are not behind what was handed out."""
        assert self.position is not None
        epoch, last = self.position
        for one in [one for one in self._early if one.epoch != epoch or one.offset <= last]:
            data = self._take_early(one)
            assert data is not None
            self._take_excluded(data)

    def _lose(self, log: Log) -> list[Kept]:
        """Something is lost for good to the members of this process, unless it has come; what is
        behind it, up to the last one of the store.
        """
        known, last = self.position, log.last
        assert known is not None
        found = {one.offset: data for one, data in self._early.items() if one.epoch == last.epoch}
        found.update(log.kept)
        start = last.offset
        while start in found:
            start -= 1
        if last.epoch == known.epoch and start <= known.offset:
            start = known.offset
        else:
            self._skip_to(Position(last.epoch, start))
        return [Kept(one, found[one]) for one in range(start + 1, last.offset + 1)]

    def _skip_to(self, position: Position) -> None:
        known = self.position
        self.position, self._last = position, None
        self._ahead.clear()
        self._tell_lost(self._name)
        for member, positions in self._hearers():
            self._tell_lost_to(member, positions)
        if known is not None and known.epoch != position.epoch:
            self._hand_out_of(known.epoch)

    def _hand_out_of(self, epoch: str) -> None:
        """Hand out what waits of an epoch that is over: its positions are worth nothing."""
        waits = [(one, False, data) for one, data in self._early.items() if one.epoch == epoch]
        waits += [(one, True, data) for one, data in self._behind if one.epoch == epoch]
        self._behind = [one for one in self._behind if one[0].epoch != epoch]
        self._early = {one: data for one, data in self._early.items() if one.epoch != epoch}
        for _, _, data in sorted(waits, key=itemgetter(0, 1)):
            self._early_bytes -= len(data)
            self._deliver(data, self._hearers())

    def _tell_lost_to(self, member: Member, positions: bool) -> None:
        at = str(self.position)
        tell_position(self._name, member, at, recovered=False, in_messages=positions)
        hooks = member._hooks
        if hooks is not None and hooks.hears_loss:
            hooks.tell("on_history_lost", self._name, lambda: (self._name,))
