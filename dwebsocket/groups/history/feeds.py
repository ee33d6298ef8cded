"""What this process has handed out of each group's kept messages: all of them once and in order,
whatever order they come in and whether they come at all, for the store has them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.delivery import Message, send, tell_position
from dwebsocket.groups.envelope import Parcel, unpack
from dwebsocket.groups.members import Member, Members
from dwebsocket.supervisor import Service

from .positions import Position
from .rules import Rule
from .store import HistoryStore, Log, read_since

__all__ = ["Feeds"]

logger = logging.getLogger("dwebsocket.groups")


#: Seconds after which what has not come is looked for in the store, and between two such looks.
INTERVAL = 0.1

#: Seconds for which it may still be on its way though the store does not have it any more.
PATIENCE = 2.0

#: Messages that may wait for one before them.
MAX_EARLY = 10_000


class Feed:
    """Of one group.

    Attributes:
        lock: guards the rest. Whoever has it reads the store, and sends without waiting.
        position: that of the last message that was handed out.
        early: messages that have come before others that must be handed out first.
        doubted: since when something may be missing, ``time.monotonic()``; ``None``: nothing is.
        joining: members that get what comes from the store first.
        is_dropped: whether another one has taken its place.
    """

    __slots__ = ("doubted", "early", "is_dropped", "joining", "lock", "position")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.position: Position | None = None
        self.early: dict[Position, bytes] = {}
        self.doubted: float | None = None
        self.joining: set[Member] = set()
        self.is_dropped = False

    @property
    def epoch(self) -> str | None:
        """That of the last message."""
        return None if self.position is None else self.position.epoch

    def forget_late(self, position: Position) -> None:
        """Forget the early ones that are not behind this position."""
        for one in list(self.early):
            if one.epoch != position.epoch or one.offset <= position.offset:
                del self.early[one]


class Feeds:
    """Those of all groups.

    Args:
        find_excluded: whom the sender of a message, if it was this process, has left out.
    """

    def __init__(
        self, members: Members, store: HistoryStore, find_excluded: Callable[[Parcel], Any]
    ) -> None:
        self._members = members
        self._store = store
        self._find_excluded = find_excluded
        self._lock = threading.Lock()  # held for an instant
        self._feeds: dict[str, Feed] = {}
        self._checking = Service(self._check, "dwebsocket-history")
        self._told = False  # that the store cannot be asked

    @contextmanager
    def _enter(self, name: str) -> Iterator[Feed]:
        while True:
            with self._lock:
                feed = self._feeds.setdefault(name, Feed())
            with feed.lock:
                if not feed.is_dropped:
                    yield feed
                    return

    def receive(self, name: str, position: Position, data: bytes) -> None:
        """A message has come. One that others must be handed out before waits for those."""
        if not self._members.count(name):
            return
        with self._enter(name) as feed:
            known = feed.position
            if known is None or position == known.next:
                feed.early.pop(position, None)
                self._hand_out(feed, name, position, data)
                self._hand_out_early(feed, name)
                if not feed.early:
                    feed.doubted = None
            elif position.epoch != known.epoch or position.offset > known.offset:
                feed.early[position] = data
                self._doubt(feed)
                if len(feed.early) > MAX_EARLY:
                    self._settle(feed, name, time.monotonic() + PATIENCE)

    def join(
        self,
        name: str,
        member: Member,
        subscribe: Callable[[str], None],
        since: Position | None,
        rule: Rule,
        *,
        positions: bool,
    ) -> tuple[Position, bool]:
        """Make it a member who has all since that position.

        Returns:
            Where it is now, and whether nothing since then is missing.

        Raises:
            GroupUnavailable: the store cannot say. It is no member then.
        """
        with self._enter(name) as feed:
            if feed.position is None or not self._members.count(name):
                feed.position = self._store.read(name, None, 0).last
            feed.joining.add(member)
            self._members.add(name, member, positions=positions)
        try:
            subscribe(name)
            with feed.lock:
                return self._admit(feed, name, member, since, rule, positions=positions)
        finally:
            feed.joining.discard(member)

    def _admit(
        self,
        feed: Feed,
        name: str,
        member: Member,
        since: Position | None,
        rule: Rule,
        *,
        positions: bool,
    ) -> tuple[Position, bool]:
        log, recovered = self._read_for(name, since, rule)
        if log.last != feed.position and (since is not None or log.last.epoch != feed.epoch):
            self._catch_up(feed, name)  # or what the member has had already would come once more
            log, recovered = self._read_for(name, since, rule)
        here = feed.position
        assert here is not None
        if positions:
            tell_position(name, member, str(here), recovered=recovered)
        for kept in log.kept:
            if kept.offset <= here.offset:  # the others are about to come to all
                at = str(Position(here.epoch, kept.offset))
                content = unpack(kept.data).content
                if not isinstance(content, tuple):
                    message = Message(name, content, at)
                    send(name, member, message.with_position if positions else message.plain)
        feed.joining.discard(member)
        return here, recovered

    def _read_for(self, name: str, since: Position | None, rule: Rule) -> tuple[Log, bool]:
        if since is None:
            return self._store.read(name, None, int(rule.sends_newest)), True
        return read_since(self._store, name, since)

    def _hand_out(self, feed: Feed, name: str, position: Position, data: bytes) -> None:
        feed.position = position
        parcel = unpack(data)
        exclude = self._find_excluded(parcel)
        if isinstance(parcel.content, tuple):
            return
        message = Message(name, parcel.content, str(position))
        for member, positions in self._members.with_wishes(name):
            if member is not exclude and member not in feed.joining:
                send(name, member, message.with_position if positions else message.plain)

    # What has not come

    def look_again(self) -> None:
        """Something may not have come: see for all groups whether the store has more. Never waits,
        never raises.
        """
        for name in list(self._feeds):
            if self._members.count(name):
                with self._enter(name) as feed:
                    self._doubt(feed)

    def _doubt(self, feed: Feed) -> None:
        if feed.doubted is None:
            feed.doubted = time.monotonic()
            self._checking.ensure()

    def _check(self) -> None:
        """See to the doubts, until there is none."""
        while True:
            time.sleep(INTERVAL)
            self._check_all()
            if self._checking.end(self._find_doubted):
                return

    def _find_doubted(self) -> list[str]:
        return [name for name, feed in list(self._feeds.items()) if feed.doubted is not None]

    def _check_all(self) -> None:
        for name in self._find_doubted():
            try:
                with self._enter(name) as feed:
                    now = time.monotonic()
                    if feed.doubted is not None and now >= feed.doubted + INTERVAL:
                        self._settle(feed, name, now)
            except GroupUnavailable as error:  # the next round tries again
                if not self._told:
                    self._told = True
                    logger.warning("What groups have missed is not known yet: %s", error)

    def _settle(self, feed: Feed, name: str, now: float) -> None:
        """Hand out what the store has, or find that it is lost."""
        known, since = feed.position, feed.doubted
        if known is None or since is None or not self._members.count(name):
            feed.doubted = None
            feed.early.clear()
            return
        log, is_whole = read_since(self._store, name, known)
        if is_whole or log.last.epoch != known.epoch or now >= since + PATIENCE:
            self._take_over(feed, name, log, is_whole=is_whole)
            feed.doubted = now if feed.early else None  # otherwise it may be on its way

    def _catch_up(self, feed: Feed, name: str) -> None:
        """Hand out what has not come yet."""
        assert feed.position is not None
        log, is_whole = read_since(self._store, name, feed.position)
        self._take_over(feed, name, log, is_whole=is_whole)

    def _take_over(self, feed: Feed, name: str, log: Log, *, is_whole: bool) -> None:
        """Hand out what was read of the store, and what is known to be behind that."""
        if not is_whole:
            self._lose(feed, name, log.last)
        for kept in log.kept:
            self._hand_out(feed, name, Position(log.last.epoch, kept.offset), kept.data)
        assert feed.position is not None
        feed.forget_late(feed.position)
        self._hand_out_early(feed, name)

    def _hand_out_early(self, feed: Feed, name: str) -> None:
        while feed.early and feed.position is not None:
            following = feed.position.next
            data = feed.early.pop(following, None)
            if data is None:
                return
            self._hand_out(feed, name, following, data)

    def _lose(self, feed: Feed, name: str, position: Position) -> None:
        """What was sent up to there is lost for good to the members of this process."""
        feed.position = position
        logger.warning(
            "Messages of the group %r are lost: the history does not have them any more. Its "
            "members in this process are told, if they asked for positions or have "
            "on_history_lost()",
            name,
        )
        for member, positions in self._members.with_wishes(name):
            if member in feed.joining:
                continue
            if positions:
                tell_position(name, member, str(position), recovered=False)
            hooks = member._hooks
            if hooks is not None and hooks.hears_loss:
                hooks.tell("on_history_lost", name, lambda: (name,))

    def drop(self, name: str) -> None:
        """The group has no member here any more. Never waits."""
        feed = self._feeds.get(name)
        if feed is None or not feed.lock.acquire(blocking=False):
            return  # in use, perhaps by whoever calls this: the next one to leave drops it
        try:
            if not feed.joining and not self._members.count(name):
                feed.is_dropped = True
                with self._lock:
                    if self._feeds.get(name) is feed:
                        del self._feeds[name]
        finally:
            feed.lock.release()
