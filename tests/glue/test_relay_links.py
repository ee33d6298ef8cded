"""Streams between two processes whose messages are lost on their way, now and then."""

import random
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

import pytest

from dwebsocket.backends.sessions.relay import NoSuchProcess, links
from dwebsocket.backends.sessions.relay.link import Busy
from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.current import get_members
from dwebsocket.protocol.prepared import PreparedMessage

from ..servers.process import wait_until

STREAMS, ITEMS = 300, 5


class LossyBackend(BaseGroupBackend):
    """Carries to this very process what the test has it carry."""

    def __init__(self, members):
        super().__init__(members, None, {})
        self.queue = SimpleQueue()
        self.published = self.carried = self.most = 0  # bytes

    def publish(self, name, content):
        self.published += len(content)
        self.most = max(self.most, self.published - self.carried)
        self.queue.put((name, content))

    def count_listeners(self, name):
        return self.members.count(name)

    def carry(self, loses):
        """Carry what there is, and lose some of it."""
        try:
            while True:
                name, content = self.queue.get(timeout=0.02)
                self.carried += len(content)
                if not loses():
                    for member in self.members.of(name):
                        member.send_nowait(PreparedMessage(content))
        except Empty:
            pass


class User:
    """Says what it has to say, and keeps what it hears."""

    stream = None
    heard_at = 0.0  # time.monotonic()

    def __init__(self):
        self.heard = []
        self.breaks = 0

    def say(self, opener, peer, number):
        self.stream = opener.open(peer, self)
        self.stream.open("said", number, 0)
        for item in range(1, ITEMS):
            self.stream.send("said", number, item)

    def receive(self, item):
        self.heard.append(item)
        self.heard_at = time.monotonic()
        if len(self.heard) == ITEMS:
            self.stream.close()

    def break_off(self):
        self.breaks += 1


class Echo(User):
    def __init__(self, stream, item):
        super().__init__()
        self.stream = stream
        self.receive(item)

    def receive(self, item):
        self.stream.send(*item, size=sum(len(value) for value in item if isinstance(value, str)))
        super().receive(item)


@pytest.fixture
def pair(monkeypatch):
    """Two processes, and what is between them."""
    backend = LossyBackend(get_members())
    monkeypatch.setattr(links, "acceptor", Echo)
    two = [links.Links(backend) for _ in range(2)]
    yield *two, backend
    for one in two:
        one.leave()


@pytest.fixture
def patient_pair(pair, monkeypatch):
    """They do not give each other up, however long the test lets them wait."""
    for name in ("FIRST_PATIENCE", "PATIENCE"):
        monkeypatch.setattr(f"dwebsocket.backends.sessions.relay.link.{name}", 60.0)
    return pair


@pytest.mark.parametrize("seed", range(2))
def test_what_is_lost_ends_streams_and_nothing_else(pair, seed):
    here, there, backend = pair
    chances = random.Random(seed)
    users = []
    for number in range(STREAMS):
        opener, peer = chances.choice([(here, there.name), (there, here.name)])
        user = User()
        users.append(user)
        try:
            user.say(opener, peer, number)
        except NoSuchProcess:  # it has been silent for too long
            user.break_off()
        if chances.random() < 0.2:
            backend.carry(lambda: chances.random() < 0.1)
    deadline = time.monotonic() + 30
    while not all(is_settled(user) for user in users) and time.monotonic() < deadline:
        backend.carry(lambda: False)
    for number, user in enumerate(users):
        assert user.heard == [["said", number, item] for item in range(len(user.heard))]
        assert is_settled(user), (number, user.heard)
    assert any(user.breaks for user in users)
    assert any(not user.breaks for user in users)


def is_settled(user):
    return user.breaks or len(user.heard) == ITEMS


def test_a_process_that_is_not_there(pair):
    here, _, _ = pair
    with pytest.raises(NoSuchProcess):
        here.open("0" * 16, User())


def test_what_is_too_much_ends_the_streams(pair, monkeypatch):
    here, there, _ = pair
    monkeypatch.setattr("dwebsocket.backends.sessions.relay.link.MAX_WAITING", 1000)
    user = User()
    user.say(here, there.name, 0)
    deadline = time.monotonic() + 30
    while not user.breaks and time.monotonic() < deadline:
        user.stream.send("said", 0, 0, size=1000)  # faster than any thread, at some time
    assert user.breaks == 1


def test_no_more_is_on_its_way_than_the_other_side_takes(patient_pair):
    """In both directions at once, of which each waits for the other to say that it has it."""
    here, there, backend = patient_pair
    text, users = "x" * (1 << 20), [User() for _ in range(8)]
    for number, user in enumerate(users):
        opener, peer = (here, there.name) if number % 2 else (there, here.name)
        user.stream = opener.open(peer, user)
        user.stream.open("said")
        for _ in range(1, ITEMS):
            user.stream.send("said", text, size=len(text))
    while not all(is_settled(user) for user in users):
        wait_until(lambda: not backend.queue.empty(), "something is sent")
        backend.carry(lambda: False)
    assert not any(user.breaks for user in users)
    assert backend.most < 12 << 20  # of 64


def test_what_is_large_leaves_room_for_others(patient_pair):
    here, there, backend = patient_pair
    opened, text = [], "x" * (1 << 20)
    with suppress(Busy):
        for _ in range(100):
            user = User()
            user.stream = here.open(there.name, user)
            user.stream.open("said", text, size=len(text))
            opened.append(user)
    assert 10 < len(opened) < 100
    small = User()
    small.say(here, there.name, 0)
    while not (is_settled(small) and all(user.heard for user in opened)):
        backend.carry(lambda: False)
    later = [user for user in opened if user.heard_at > small.heard_at]
    assert len(later) > len(opened) // 2


@pytest.mark.parametrize(
    "content",
    ["text", b"", b"{}", b"[]", b"[1]", b'[1,"a","b",null,"1",[]]', b"[2,1,1,1,1,1]", b"\xff" * 40],
)
def test_what_is_no_message_of_ours_is_nothing(patient_pair, content):
    here, there, backend = patient_pair
    here.send_nowait(PreparedMessage(content))
    user = User()
    user.say(here, there.name, 1)
    while not is_settled(user):
        backend.carry(lambda: False)
    assert len(user.heard) == ITEMS
