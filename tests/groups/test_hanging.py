"""Redis hangs: those who send to groups are told soon, and nobody else notices."""

import re
import threading
import time
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from ..raw_client import RawClient
from ..servers.process import wait_until
from ..servers.rows import ROWS
from .peers import Member

SENDERS, OTHERS = 12, 3
HANG = 4.0  # seconds: the listener notices nothing in this time, only those who publish
LATE = 1.0  # seconds after which an echo is late
TRIES = 3  # a busy machine may hold up an echo by itself, but not at each hang

names = count(1)


@pytest.fixture(scope="module", params=["gunicorn-gthread", "gevent-pywsgi", "uvicorn"])
def server(request, start_server, redis_server):
    row = next(row for row in ROWS if row.name == request.param)
    server = start_server(row, {"WEBSOCKET_GROUPS": redis_server.setting})
    yield server
    server.stop()
    assert not server.log.find_faults(), server.log.text()


class Client(threading.Thread):
    """Does one thing again and again, until it is told to stop."""

    def __init__(self, server, path=None):
        super().__init__(daemon=True)
        self.server = server
        self.stop = threading.Event()
        self.slowest = 0.0
        self.rounds = 0
        self.ended = None
        self.client = None if path is None else self.open(path)

    def open(self, path):
        client = RawClient(self.server, timeout=20)
        client.open(path)
        return client

    def run(self):
        try:
            while not self.stop.wait(0.01):
                begun = time.monotonic()
                self.act(self.rounds)
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.rounds += 1
        except Exception as error:
            self.ended = error

    def act(self, number):
        raise NotImplementedError

    def finish(self):
        self.stop.set()
        self.join(20)
        if self.client is not None:
            self.client.hang_up()
        assert not self.is_alive()
        assert self.ended is None, repr(self.ended)


class Echo(Client):
    def __init__(self, server):
        super().__init__(server, "/handler/echo/")

    def act(self, number):
        self.client.send_text(str(number))
        assert self.client.read_text() == str(number)


class Sender(Client):
    """Sends numbers to a group of its own, and notes those that were refused."""

    def __init__(self, server, make_peer, redis):
        self.group = f"hanging-{next(names)}"
        super().__init__(server, f"/group/handler/{self.group}/?case={self.group}")
        assert self.client.read_text() == "member 1"
        self.elsewhere = make_peer(redis.setting).join(self.group, Member)
        self.refused = set()

    def act(self, number):
        self.client.send_text(f'["send", "{number}"]')
        self.client.send_text('["answer", "done"]')
        assert self.client.read_text() == str(number)
        while (text := self.client.read_text()) != "done":
            assert "did not confirm the message" in text
            self.refused.add(number)

    def arrived(self):
        return [int(self.elsewhere.next()) for _ in range(self.elsewhere.count())]


class Joiner(Client):
    """Joins one group after the other."""

    def __init__(self, server):
        name = f"joining-{next(names)}"
        super().__init__(server, f"/group/handler/{name}/?case={name}")
        assert self.client.read_text() == "member 1"

    def act(self, number):
        self.client.send_text(f'["join", "joined-{next(names)}"]')
        assert self.client.read_text() == "joined"


@contextmanager
def busy(*clients):
    """These do what they do meanwhile."""
    with ExitStack() as stack:
        for client in clients:
            stack.callback(client.finish)
            client.start()
        wait_until(lambda: all(one.rounds > 10 or one.ended for one in clients), "traffic", 20)
        yield


@contextmanager
def hanging(redis):
    redis.pause()
    try:
        yield
    finally:
        redis.resume()


def lines(server, mark):
    return re.findall(r"dwebsocket\.groups: .*", server.log.text(mark))


def slowest_of(clients):
    return max(one.slowest for one in clients)


def check_nobody_waits(hang, *arguments):
    """A hang, which tells how long who is not to wait has waited."""
    taken = []
    while not taken or taken[-1] >= LATE:
        assert len(taken) < TRIES, taken
        taken.append(hang(*arguments))


def test_others_are_called_while_senders_are_refused(server, redis_server, make_peer):
    check_nobody_waits(hang_senders, server, redis_server, make_peer)


def hang_senders(server, redis_server, make_peer):
    senders = [Sender(server, make_peer, redis_server) for _ in range(SENDERS)]
    others = [Echo(server) for _ in range(OTHERS)]
    mark = server.log.mark()
    with busy(*senders, *others):
        with hanging(redis_server):
            time.sleep(HANG)
            rounds = [one.rounds for one in senders]
        wait_until(
            lambda: all(one.rounds > then + 50 for one, then in zip(senders, rounds, strict=True)),
            "traffic after the hang",
            20,
        )
    server.log.wait_for(r"is back after", since=mark)
    away, back = lines(server, mark)
    assert "cannot be reached" in away
    assert "is back after" in back
    for sender in senders:
        # What was sent is there, what was refused perhaps; once, and in order.
        wanted = set(range(sender.rounds)) - sender.refused
        numbers = []
        while not wanted <= set(numbers):
            numbers.append(int(sender.elsewhere.next()))
        numbers += sender.arrived()
        assert sender.refused
        assert numbers == sorted(set(numbers)), "twice, or out of order"
    return slowest_of([*senders, *others])


def test_others_are_called_while_joiners_wait(server, redis_server):
    """Nobody sends: nobody but those who join has noticed that Redis hangs."""
    check_nobody_waits(hang_joiners, server, redis_server)


def hang_joiners(server, redis_server):
    joiners = [Joiner(server) for _ in range(SENDERS)]
    others = [Echo(server) for _ in range(OTHERS)]
    with busy(*joiners, *others), hanging(redis_server):
        time.sleep(HANG)
    return slowest_of(others)
