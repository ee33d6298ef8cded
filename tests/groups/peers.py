"""What is another process elsewhere: a backend with members of its own, in the test's process."""

import json
import threading
from queue import Empty, SimpleQueue

from django.test import override_settings

from dwebsocket.groups.base import Closing
from dwebsocket.groups.current import create_backend, get_members
from dwebsocket.groups.history import Rule
from dwebsocket.groups.members import Members

from ..servers.process import wait_until

TIMEOUT = 10.0  # seconds after which a test that waits has failed
BUSY = 1.0  # seconds by which a busy machine may be late

RULE = Rule(100_000, 600.0)  # more than any test sends


class Member:
    """Keeps what it is sent."""

    accepted, _has_ended, _hooks, _positions = True, False, None, None

    def __init__(self):
        self._got = SimpleQueue()

    def send_nowait(self, message):
        self._got.put(message.event.get("text", message.event.get("bytes")))

    def close_nowait(self, code, reason):
        self._got.put(Closing(code, reason))

    def count(self):
        return self._got.qsize()

    def next(self, timeout=TIMEOUT):
        try:
            return self._got.get(timeout=timeout)
        except Empty:
            raise TimeoutError(f"nothing came within {timeout} s") from None


class Failing(Member):
    """Breaks its promise."""

    def send_nowait(self, message):
        raise RuntimeError("no such thing")

    def close_nowait(self, code, reason):
        raise RuntimeError("no such thing")


class Follower(Member):
    """Is told positions. `joined` is what the group has told when it was added."""

    position = None

    def next(self, timeout=TIMEOUT):
        """What was sent, or whether nothing was missed; `position` is where that was: what is not
        kept, or not any more, has none.
        """
        got = super().next(timeout)
        if isinstance(got, Closing):
            return got
        told = json.loads(got)
        self.position = told.get("position", self.position)
        return told["recovered"] if "recovered" in told else told["data"]

    def take(self, count):
        return [self.next() for _ in range(count)]


class Peer:
    def __init__(self, setting, **settings):
        self.members = Members()
        with override_settings(**settings):
            self.backend = create_backend(setting, self.members)

    def add(self, name, kind=Member):
        """A member of whom the backend is not told: when it connects, it asks for all."""
        member = kind()
        self.members.add(name, member)
        return member

    def join(self, name, kind=Member):
        member = self.add(name, kind)
        self.backend.subscribe(name)
        return member

    def follow(self, name, since=None, rule=RULE, kind=Follower):
        """A member of a group that keeps messages, who is told positions."""
        member = kind()
        history, subscribe = self.backend.history, self.backend.subscribe
        try:
            newest = int(rule.sends_newest)
            joined = history.join(name, member, subscribe, since, newest, positions=True)
        except BaseException:
            self.leave(name, member)
            raise
        member.joined = joined
        return member

    def keep(self, name, content, rule=RULE, exclude=None):
        """Send to a group that keeps it."""
        self.backend.history.append(name, content, rule, exclude)

    def leave(self, name, member):
        if self.members.discard(name, member):
            self.backend.unsubscribe(name)

    def publish(self, name, content):
        self.backend.publish(name, content)

    def close(self):
        self.backend.close()


def groups_left():
    """The groups that have members here, but for that by which a process is asked."""
    return [name for name in get_members().names() if not name.startswith("\0dwebsocket:")]


def patient(setting):
    """With messages that wait for Redis as long as tests do."""
    return {**setting, "OPTIONS": {**setting.get("OPTIONS", {}), "socket_timeout": TIMEOUT}}


def check_order(sender, *members, name="a", count=100):
    """What one sends arrives at all of them, once and in order."""
    for number in range(count):
        sender.publish(name, str(number))
    for member in members:
        assert [member.next() for _ in range(count)] == [str(number) for number in range(count)]


def check_many_at_once(redis, sender, *members, name="a", count=120):
    """They have to wait for each other: Redis answers nobody until all are there. The sender is
    patient, or else it may take such a Redis for one that hangs.
    """
    texts = [str(number) for number in range(count)]
    start, begun = threading.Event(), []

    def publish(text):
        start.wait(TIMEOUT)
        begun.append(text)
        sender.publish(name, text)

    threads = [threading.Thread(target=publish, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    redis.pause()
    start.set()
    wait_until(lambda: len(begun) == count, "all are there")
    redis.resume()
    for member in members:
        assert sorted(member.next() for _ in threads) == sorted(texts)
    for thread in threads:
        thread.join(TIMEOUT)
