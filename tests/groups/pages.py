"""What pages in browsers do with a group that remembers, and what they may expect."""

import random
import threading
import time
from contextlib import contextmanager

from dwebsocket.exceptions import GroupUnavailable

from .peers import TIMEOUT


class Page:
    """Comes back where it was. `got` is what it was sent, and whether it was told that nothing was
    missing.
    """

    def __init__(self, peer, name="a"):
        self.peer = peer
        self.name = name
        self.position = None
        self.member = None
        self.got = []

    def open(self):
        """Whether the group lets it in."""
        try:
            self.member = self.peer.follow(self.name, self.position)
        except GroupUnavailable:
            return False
        return True

    def read(self):
        while self.member is not None and self.member.count():
            self.got.append(self.member.next())
            self.position = self.member.position

    def close(self):
        if self.member is not None:
            self.peer.leave(self.name, self.member)
            self.read()
            self.member = None

    def toggle(self):
        if self.member is None:
            self.open()
        else:
            self.close()

    def has(self, text):
        self.read()
        return text in self.got[-20:]

    def find_faults(self, refused=()):
        """What came twice or out of order, and what did not come without a word. Numbers whose
        sender was told that perhaps nobody got them may be missing.
        """
        faults, last, is_told = [], -1, False
        for one in self.got:
            if isinstance(one, bool):
                is_told = is_told or not one
                continue
            number = int(one)
            if number <= last:
                faults.append(f"{number} behind {last}")
            missing = set(range(last + 1, number)) - set(refused)
            if missing and not is_told:
                faults.append(f"{sorted(missing)} missing before {number}")
            last, is_told = max(last, number), False
        return faults

    def times_told(self):
        """How often it was told that something is missing."""
        return self.got.count(False)


class Traffic(threading.Thread):
    """Sends numbers, so many a second, and notes those that were refused."""

    def __init__(self, peer, rate, name="a"):
        super().__init__(daemon=True)
        self.peer, self.rate, self.name = peer, rate, name
        self.stop = threading.Event()
        self.refused = set()
        self.sent = 0
        self.slowest = 0.0

    def run(self):
        begun = time.monotonic()
        while not self.stop.wait(max(0.0, begun + self.sent / self.rate - time.monotonic())):
            asked = time.monotonic()
            self.send()
            self.slowest = max(self.slowest, time.monotonic() - asked)

    def send(self):
        """The next number, or say that it was refused."""
        try:
            self.peer.keep(self.name, str(self.sent))
        except GroupUnavailable:
            self.refused.add(self.sent)
        self.sent += 1
        return self.sent - 1 not in self.refused

    def finish(self):
        self.stop.set()
        self.join(TIMEOUT)
        assert not self.is_alive()


@contextmanager
def traffic(peer, rate):
    sending = Traffic(peer, rate)
    sending.start()
    try:
        yield sending
    finally:
        sending.finish()


def break_at_random(pages, sending, seconds, sometimes, seed):
    """One of the pages after the other comes or goes; and from time to time something happens. It
    takes longer where a busy machine has not sent half of what it should have.
    """
    chance, deadline = random.Random(seed), time.monotonic() + seconds
    wanted = sending.rate * seconds / 2
    while time.monotonic() < deadline or sending.sent < wanted:
        for _ in range(20):
            chance.choice(pages).toggle()
            time.sleep(0.005)
        if chance.random() < 0.2:
            sometimes()
