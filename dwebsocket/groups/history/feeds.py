"""What this process has handed out of each group's kept messages: all of them once and in order,
whatever order they come in and whether they come at all, for the store has them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.delivery import deliver, tell_position
from dwebsocket.groups.envelope import identify
from dwebsocket.groups.members import Member, Members
from dwebsocket.supervisor import Service

from .feed import INTERVAL, Feed
from .positions import Position
from .store import HistoryStore, Log, read_content, read_since

__all__ = ["Feeds", "Wish"]

logger = logging.getLogger("dwebsocket.groups")

#: Seconds between two lines of the log that say that something is lost.
LOG_INTERVAL = 60.0

#: Seconds between two rounds while the store cannot be asked.
RETRY = 1.0

#: Seconds for which groups are seen to before others get a turn, and how long that is: greenlets
#: change places only where one waits.
TURN, PAUSE = 0.005, 0.0005


class Wish(NamedTuple):
    """What a new member is to be sent.

    Attributes:
        since: what comes behind this position; ``None``: what comes from now on.
        newest: without a position, or if that is of no use, so many of the newest come first.
        positions: whether the position of each message is told.
    """

    since: Position | None
    newest: int
    positions: bool


class Feeds:
    """Those of all groups."""

    def __init__(self, members: Members, store: HistoryStore) -> None:
        self._members = members
        self._store = store
        self._lock = threading.Lock()  # held for an instant
        self._feeds: dict[str, Feed] = {}
        self._closed = False
        self._checking = Service(self._check, "dwebsocket-history")
        self._failed = False  # to ask the store about one of them
        self._lost = 0  # groups, since a line of the log has said so
        self._quiet_until = 0.0

    @contextmanager
    def _enter(self, name: str) -> Iterator[Feed]:
        while True:
            with self._lock:
                feed = self._feeds.get(name)
                if feed is None:
                    feed = Feed(name, self._members, self._store, self._tell_lost)
                    self._feeds[name] = feed
            try:
                with feed.lock:
                    if not feed.is_dropped:
                        yield feed
                        return
            finally:
                if feed.doubted is not None and not self._closed:
                    self._checking.ensure()
                self.drop(name)

    # What comes

    def exclude(self, name: str, data: bytes, member: Member) -> None:
        """Leave out a member when a message of this process is handed out here."""
        with self._enter(name) as feed:
            feed.exclude(data, member)

    def receive(self, name: str, position: Position, data: bytes) -> None:
        """A message has come."""
        if self._is_handed_out(name, position, data):
            return
        with self._enter(name) as feed:
            feed.receive(position, data)

    def receive_behind(self, name: str, position: Position, data: bytes) -> None:
        """A message has come that is not kept, and belongs behind the one with this position."""
        if self._is_handed_out(name, None, data):
            return
        with self._enter(name) as feed:
            feed.receive_behind(position, data)

    def _is_handed_out(self, name: str, position: Position | None, data: bytes) -> bool:
        """Whether nobody asks for order, and those who are here have it now."""
        if self._closed or not self._members.count(name):
            return True
        if name in self._feeds:
            return False
        members = self._members.with_wishes(name)
        if name in self._feeds:
            return False
        hand_to(name, members, position, data)  # who joins from now on has it from the store
        return True

    # Who comes

    def join(
        self, name: str, member: Member, subscribe: Callable[[str], None], wish: Wish
    ) -> tuple[Position, bool]:
        """Make it a member who has all since a position. Of one that is a member already nothing
        changes but the wish, if that has no position.

        Returns:
            Where it is now, and whether nothing since then is missing.

        Raises:
            GroupUnavailable: the store cannot say.
        """
        with self._enter(name) as feed:
            if feed.position is None or not self._members.count(name):
                feed.begin()
            if wish.since is not None or not self._members.has(name, member):
                feed.joining.add(member)
            self._members.add(name, member, positions=wish.positions)
        try:
            subscribe(name)
            with feed.lock:
                feed.is_new = False  # what comes from now on, or what is read, is all
                return self._admit(feed, name, member, wish)
        finally:
            feed.is_new = False
            feed.joining.discard(member)
            if feed.doubted is not None:
                self._checking.ensure()
            self.drop(name)

    def _admit(self, feed: Feed, name: str, member: Member, wish: Wish) -> tuple[Position, bool]:
        log, recovered = self._read_for(name, wish)
        if log.last != feed.position or feed.is_unsure:
            feed.catch_up()  # what was sent before this process heard of the group
            log, recovered = self._read_for(name, wish)
        here, since = feed.position, wish.since
        assert here is not None
        if log.last.epoch != here.epoch:  # the store has begun anew just now
            log, recovered = Log(here, []), False
        if recovered and since is not None and since.offset > here.offset:
            feed.hold_until(member, since.offset)  # elsewhere it was handed more than here
            here = since
        kept = [one for one in log.kept if one.offset <= here.offset]  # the others come to all
        start = Position(here.epoch, kept[0].offset - 1) if kept else here
        tell_position(name, member, str(start), recovered=recovered, in_messages=wish.positions)
        for offset, data in kept:
            hand_to(name, [(member, wish.positions)], Position(here.epoch, offset), data)
        feed.joining.discard(member)  # before anybody else has the lock
        return here, recovered

    def _read_for(self, name: str, wish: Wish) -> tuple[Log, bool]:
        if wish.since is None:
            return self._store.read(name, None, wish.newest), True
        log, recovered = read_since(self._store, name, wish.since)
        if not recovered and wish.newest:
            log = self._store.read(name, None, wish.newest)
        return log, recovered

    # What has not come

    def look_again(self) -> None:
        """Something may not have come: see for all groups whether the store has more. Never
        raises.
        """
        for name in list(self._feeds):
            if self._members.count(name):
                with self._enter(name) as feed:
                    feed.doubt(must_look=True)

    def interrupt(self, name: str) -> None:
        """What was sent to the group before now may not come any more; and the store may have lost
        what it had, and use its numbers again: see what it has before anything else is handed out.
        Never raises.
        """
        if name in self._feeds:
            with self._enter(name) as feed:
                feed.interrupt()

    def _check(self) -> None:
        """See to the doubts, until there is none."""
        pause = INTERVAL
        while True:
            time.sleep(pause)
            pause = INTERVAL if self._check_all() else RETRY
            if self._checking.end(self._find_doubted):
                return

    def _find_doubted(self) -> list[str]:
        return [name for name, feed in list(self._feeds.items()) if feed.doubted is not None]

    def _check_all(self) -> bool:
        """Whether the store could be asked about all of them: the next round tries again."""
        turn = time.monotonic() + TURN
        failed = None
        for name in self._find_doubted():
            try:
                with self._enter(name) as feed:
                    self._settle(name, feed)
            except GroupUnavailable as error:  # another node may be there
                failed = error
            if time.monotonic() > turn:
                time.sleep(PAUSE)
                turn = time.monotonic() + TURN
        if failed is not None and not self._failed:
            logger.warning("What groups have missed is not known yet: %s", failed)
        self._failed = failed is not None
        return not self._failed

    def _settle(self, name: str, feed: Feed) -> None:
        now = time.monotonic()
        if feed.doubted is None or now < feed.doubted + INTERVAL:
            return
        try:
            feed.settle(now)
        except GroupUnavailable:
            raise
        except Exception:  # of ours: others need this thread
            feed.forget()
            logger.exception("What the group %r has missed cannot be handed out", name)

    def _tell_lost(self, name: str) -> None:
        """Log it, but not for each of many groups."""
        self._lost += 1
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + LOG_INTERVAL
            lost, self._lost = self._lost, 0
            logger.warning(
                "Messages are lost that the history does not have any more, of %d groups, the last "
                "of them %r. Members in this process are told, if they asked for positions or have "
                "on_history_lost(). (Said once a minute.)",
                lost,
                name,
            )

    # The end

    def drop(self, name: str) -> None:
        """Forget the group, if it has no member here any more. Never waits."""
        while not self._members.count(name):
            feed = self._feeds.get(name)
            if feed is None or not feed.lock.acquire(blocking=False):
                return  # in use, perhaps by whoever calls this; who uses it drops it afterwards
            try:
                if feed.joining or self._members.count(name):
                    return
                feed.is_dropped = True
                with self._lock:
                    if self._feeds.get(name) is feed:
                        del self._feeds[name]
            finally:
                feed.lock.release()

    def close(self) -> None:
        """Hand out nothing any more. Never waits."""
        self._closed = True
        self._feeds = {}


def hand_to(
    name: str, members: list[tuple[Member, bool]], position: Position | None, data: bytes
) -> None:
    """Hand a message to these, of whom none has asked for what was before."""
    content = read_content(name, data)
    if content is not None:
        at = None if position is None else str(position)
        deliver(name, content, members, None, at, identify(data))
