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
from dwebsocket.groups.delivery import Message, send, tell_position
from dwebsocket.groups.envelope import unpack
from dwebsocket.groups.members import Member, Members
from dwebsocket.supervisor import Service

from .feed import INTERVAL, Feed
from .positions import Position
from .store import HistoryStore, Kept, Log, read_since

__all__ = ["Feeds", "Wish"]

logger = logging.getLogger("dwebsocket.groups")

#: Seconds between two lines of the log that say that something is lost.
LOG_INTERVAL = 60.0

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

    def exclude(self, name: str, origin: bytes, number: int, member: Member) -> None:
        """Leave out a member when a message of this process is handed out here."""
        with self._enter(name) as feed:
            feed.exclude(origin, number, member)

    def include(self, name: str, origin: bytes, number: int) -> None:
        """That message will not come."""
        if name in self._feeds:
            with self._enter(name) as feed:
                feed.include(origin, number)

    def receive(self, name: str, position: Position, data: bytes) -> None:
        """A message has come."""
        if self._closed or not self._members.count(name):
            return
        if name not in self._feeds:
            members = self._members.with_wishes(name)
            if name not in self._feeds:  # who joins from now on has it from the store
                hand_to(name, members, position, data)
                return
        with self._enter(name) as feed:
            feed.receive(position, data)

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
                feed.begin(self._store.read(name, None, 0).last)
            if wish.since is not None or not self._members.has(name, member):
                feed.joining.add(member)
            self._members.add(name, member, positions=wish.positions)
        try:
            subscribe(name)
            with feed.lock:
                return self._admit(feed, name, member, wish)
        finally:
            feed.joining.discard(member)
            if feed.doubted is not None:
                self._checking.ensure()
            self.drop(name)

    def _admit(self, feed: Feed, name: str, member: Member, wish: Wish) -> tuple[Position, bool]:
        log, recovered = self._read_for(name, wish)
        if log.last != feed.position:
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
        if wish.positions:
            start = Position(here.epoch, kept[0].offset - 1) if kept else here
            tell_position(name, member, str(start), recovered=recovered)
        send_kept(name, member, here.epoch, kept, positions=wish.positions)
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
        turn = time.monotonic() + TURN
        for name in self._find_doubted():
            try:
                with self._enter(name) as feed:
                    now = time.monotonic()
                    if feed.doubted is not None and now >= feed.doubted + INTERVAL:
                        feed.settle(now)
            except GroupUnavailable:  # the store has logged that; the next round tries again
                return
            if time.monotonic() > turn:
                time.sleep(PAUSE)
                turn = time.monotonic() + TURN

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


def hand_to(name: str, members: list[tuple[Member, bool]], position: Position, data: bytes) -> None:
    """Hand a message to these, of whom none has asked for what was before."""
    content = unpack(data).content
    if isinstance(content, (str, bytes)):
        message = Message(name, content, str(position))
        for member, positions in members:
            send(name, member, message.with_position if positions else message.plain)


def send_kept(name: str, member: Member, epoch: str, kept: list[Kept], *, positions: bool) -> None:
    """Send a member what is kept."""
    for offset, data in kept:
        hand_to(name, [(member, positions)], Position(epoch, offset), data)
