"""What this process has handed out of each group's kept messages: all of them once and in order,
whatever order they come in and whether they come at all, for the store has them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.delivery import Message, deliver, send, tell_position
from dwebsocket.groups.envelope import Parcel, unpack
from dwebsocket.groups.members import Member, Members
from dwebsocket.supervisor import Service

from .feed import MAX_EARLY, Feed
from .losses import Losses
from .positions import Position
from .rules import Rule
from .store import HistoryStore, Log, read_since

__all__ = ["Feeds"]

logger = logging.getLogger("dwebsocket.groups")


#: Seconds after which what has not come is looked for in the store, and between two such looks.
INTERVAL = 0.1

#: Seconds for which it may still be on its way though the store does not have it any more.
PATIENCE = 2.0


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
        self._losses = Losses()
        self._told = self._closed = False  # told that the store cannot be asked

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
            if feed.is_unsure:  # this number may have been used before
                feed.add_early(position, data)
            elif known is None or position == known.next:
                feed.early.pop(position, None)
                self._hand_out(feed, name, position, data)
                self._hand_out_early(feed, name)
                if not feed.early and not feed.behind:
                    feed.doubted = None
            elif not feed.has_reached(position) and position.epoch != feed.over:
                feed.add_early(position, data)
                self._doubt(feed)

    def receive_behind(self, name: str, position: Position, data: bytes) -> None:
        """A message has come that is not kept, and belongs behind that position."""
        if not self._members.count(name):
            return
        with self._enter(name) as feed:
            feed.behind.append((position, data))
            if feed.is_unsure or not feed.has_reached(position):
                self._doubt(feed)
                if len(feed.behind) <= MAX_EARLY:
                    return
            self._hand_out_behind(feed, name, feed.behind[0][0])

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
                feed.begin(self._store.read(name, None, 1))
            feed.joining.add(member)
            self._members.add(name, member, positions=positions)
        try:
            subscribe(name)
            with feed.lock:
                feed.is_new = False  # what comes from now on, or what is read, is all
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
        if feed.is_unsure:
            self._take_over(feed, name, self._look(feed, name))
        log, recovered = self._read_for(name, since, rule)
        if log.last != feed.position and (since is not None or log.last.epoch != feed.epoch):
            # Or what the member has had already would come once more.
            self._take_over(feed, name, self._look(feed, name))
            log, recovered = self._read_for(name, since, rule)
        here = feed.position
        assert here is not None
        if log.last != here:
            self._doubt(feed)  # it came before this process heard of it, perhaps
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

    # Handing out

    def _hand_out(self, feed: Feed, name: str, position: Position, data: bytes) -> None:
        feed.advance(position, data)
        self._deliver(name, data, str(position), feed.joining)
        self._hand_out_behind(feed, name)

    def _hand_out_early(self, feed: Feed, name: str) -> None:
        while feed.early and feed.position is not None:
            following = feed.position.next
            data = feed.early.pop(following, None)
            if data is None:
                return
            self._hand_out(feed, name, following, data)

    def _hand_out_behind(self, feed: Feed, name: str, until: Position | None = None) -> None:
        while feed.behind and (feed.behind[0][0] == until or feed.has_reached(feed.behind[0][0])):
            _, data = feed.behind.pop(0)
            self._deliver(name, data)

    def _deliver(
        self,
        name: str,
        data: bytes,
        position: str | None = None,
        joining: Collection[Member] = (),
    ) -> None:
        try:
            parcel = unpack(data)
        except ValueError as error:
            logger.warning("What the history has of the group %r is no message: %s", name, error)
            return
        members = self._members.with_wishes(name)
        if joining:
            members = [one for one in members if one[0] not in joining]
        deliver(name, parcel.content, members, self._find_excluded(parcel), position)

    # What has not come

    def look_again(self) -> None:
        """Something may not have come: see for all groups whether the store has more. Never waits,
        never raises.
        """
        for name in list(self._feeds):
            if self._members.count(name):
                with self._enter(name) as feed:
                    self._doubt(feed)

    def interrupt(self, name: str) -> None:
        """What was sent to the group before now may not come any more; and the store may have lost
        what it had, and use its numbers again: see what it has before anything else is handed out.
        Never raises.
        """
        feed = self._feeds.get(name)
        if feed is None:
            return
        with feed.lock:
            if feed.position is not None and not feed.is_new:
                feed.is_unsure = True
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
            self._losses.tell()
            if self._checking.end(self._is_needed):
                return

    def _is_needed(self) -> bool:
        return not self._closed and bool(self._find_doubted() or self._losses)

    def _find_doubted(self) -> list[str]:
        return [name for name, feed in list(self._feeds.items()) if feed.doubted is not None]

    def _check_all(self) -> None:
        for name in self._find_doubted():
            if self._closed:
                return
            with self._enter(name) as feed:
                now = time.monotonic()
                if feed.doubted is None or now < feed.doubted + INTERVAL:
                    continue
                try:
                    self._settle(feed, name, now)
                    self._told = False
                except GroupUnavailable as error:  # the next round tries again
                    if not self._told:
                        self._told = True
                        logger.warning("What groups have missed is not known yet: %s", error)
                except Exception:  # of ours: others need this thread
                    feed.forget()
                    logger.exception("What the group %r has missed cannot be handed out", name)

    def _settle(self, feed: Feed, name: str, now: float) -> None:
        """Hand out what the store has, or find that it is lost."""
        since = feed.doubted
        if feed.position is None or since is None or not self._members.count(name):
            feed.forget()
            return
        log = self._look(feed, name)
        if (
            feed.is_followed_by(log)
            or log.last.epoch != feed.epoch
            or feed.is_unsure
            or now >= since + PATIENCE
        ):
            self._take_over(feed, name, log)

    def _look(self, feed: Feed, name: str) -> Log:
        """What the store has; what it has lost is not to be mistaken for something else."""
        here = feed.position
        assert here is not None
        log = self._store.read(name, max(0, here.offset - 1), None)
        if feed.is_contradicted_by(log):
            self._store.renew(name, here.epoch)
        elif log.last.epoch == here.epoch:
            return log
        return self._store.read(name, 0, None)

    def _take_over(self, feed: Feed, name: str, log: Log) -> None:
        """Hand out what was read of the store, and all that has waited for that."""
        others, messages = feed.take_waiting(log)
        epoch, newest = log.last
        if epoch != feed.epoch:
            offset = messages[0][0].offset - 1 if messages else newest
            self._lose(feed, name, Position(epoch, offset))
        for data in others:  # of an epoch that is over: its positions are worth nothing
            self._deliver(name, data)
        for position, data in messages:
            if feed.has_reached(position):
                continue
            if feed.position is None or position != feed.position.next:
                self._lose(feed, name, Position(position.epoch, position.offset - 1))
            self._hand_out(feed, name, position, data)
        if not feed.has_reached(log.last):
            self._lose(feed, name, log.last)
        while feed.behind:
            self._hand_out_behind(feed, name, feed.behind[0][0])
        feed.forget()

    def _lose(self, feed: Feed, name: str, position: Position) -> None:
        """What was sent up to there is lost for good to the members of this process."""
        feed.skip_to(position)
        self._losses.note(name)
        self._checking.ensure()
        for member, positions in self._members.with_wishes(name):
            if positions and member not in feed.joining:
                tell_position(name, member, str(position), recovered=False)

    # The end

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

    def close(self) -> None:
        """Look for nothing any more."""
        self._closed = True
