"""Processes that share what is kept, in the test's process: what they say to each other goes, comes
late, or is lost, as a test wants it.
"""

import json

from dwebsocket.groups.history import Keeper, Rule, parse_position
from dwebsocket.groups.members import Members
from dwebsocket.groups.numbers import Numberer

from ..peers import Member

RULE = Rule(100, 300.0)


def nothing(name):
    """What needs no subscription."""


class Told(Member):
    """Asks for positions, and keeps the last one as a page does."""

    def __init__(self, since=None):
        super().__init__()
        self.since = since

    def next(self, *args, **kwargs):
        told = json.loads(super().next(*args, **kwargs))
        self.since = told.get("position", self.since)
        return told

    def take(self, count=None):
        """All that is here; or so many, which may have to come, and no more."""
        if count is None:
            return [self.next(0) for _ in range(self.count())]
        told = [self.next() for _ in range(count)]
        assert not self.count(), self.take()
        return told


class Keeping(Member):
    """Its client keeps positions by itself: of each packet the offset, and what it says."""

    def __init__(self):
        super().__init__()
        self._positions = self

    def take(self, group):
        return None

    def tell(self, group, position, *, recovered):
        self._got.put((parse_position(position).offset, recovered))

    def send(self, group, position, message):
        self._got.put((parse_position(position).offset, message.event["text"]))


class Place:
    """One process. Others hear of what is sent here when ``deliver`` is called."""

    def __init__(self, store):
        self.members = Members()
        self.sent = []
        self.keeper = Keeper(self.members, store, Numberer(), self._carry)
        self.feeds = self.keeper.feeds
        self.hears_itself = True

    def _carry(self, name, position, data):
        self.sent.append((name, position, data))
        if self.hears_itself:
            self.feeds.receive(name, position, data)

    def send(self, content, name="a", rule=RULE, exclude=None):
        self.keeper.append(name, content, rule, exclude)
        return self.sent[-1]

    def hear(self, *sent):
        for one in sent:
            self.feeds.receive(*one)

    def come(self, since=None, name="a", newest=0, kind=Told, subscribe=nothing):
        """A new member, and what it is told."""
        member = kind() if isinstance(kind, type) else kind
        joined = self.keeper.join(
            name, member, subscribe, since, newest, positions=isinstance(member, Told)
        )
        return member, joined

    def go(self, member, name="a"):
        if self.members.discard(name, member):
            self.feeds.drop(name)


def texts(told):
    return [one["data"] for one in told if "data" in one]


def append(store, name="a", rule=RULE, data=b"x"):
    """Keep a message."""
    return store.append(name, data, rule)
