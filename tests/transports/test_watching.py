"""Being watched: nobody waits for the connection, a watcher is told what happens."""

import threading
import time

import pytest

from dwebsocket.transports import poll
from dwebsocket.transports.base import Transport

from .pairs import KINDS, TIMEOUT, in_thread, make_pair


class Watcher:
    """Reads what comes, and keeps note of it."""

    def __init__(self, pair):
        self.pair = pair
        self.found = bytearray()
        self.ends = self.writable = self.reading = 0
        self.overlapped = False
        self.delay = 0
        self.is_held = False  # its call lasts as long as this says

    def on_readable(self):
        self.overlapped = self.overlapped or self.reading > 0
        self.reading += 1
        if self.delay:
            self.pair.transport.sleep(self.delay)
        while self.is_held:
            self.pair.transport.sleep(0.002)
        received = self.pair.transport.try_receive()
        if received is not None:
            buffer, count = received
            self.found += buffer[:count]
            self.ends += count == 0
            if not count:
                self.pair.transport.unwatch()
        self.reading -= 1

    def on_writable(self):
        self.writable += 1

    def on_stalled(self):
        pass


@pytest.fixture(params=KINDS)
def pair(request, certificates):
    made = make_pair(request.param, certificates)
    server_socket = made.transport.sock
    made.transport.detach()
    server_socket.close()
    yield made
    made.close()


@pytest.fixture
def watcher(pair):
    made = Watcher(pair)
    pair.transport.watch(made)
    yield made
    made.is_held = False
    pair.transport.unwatch()


def test_what_comes_is_told(pair, watcher):
    for number in range(1, 4):
        pair.peer.sendall(b"data")
        pair.finish(lambda: watcher.found == b"data" * number)  # noqa: B023
    assert (watcher.ends, watcher.writable) == (0, 0)


def test_what_had_come_before_is_told(pair):
    pair.peer.sendall(b"early")
    watcher = Watcher(pair)
    pair.transport.watch(watcher)
    pair.finish(lambda: watcher.found == b"early")
    pair.transport.unwatch()


def test_the_end_is_told(pair, watcher):
    pair.peer.sendall(b"last")
    pair.peer.close()
    pair.finish(lambda: watcher.ends)
    assert (watcher.found, watcher.ends) == (b"last", 1)


def test_our_own_shutdown_is_told(pair, watcher):
    pair.transport.shutdown()
    pair.finish(lambda: watcher.ends)


@pytest.mark.parametrize("foreign", [False, True], ids=["own-thread", "foreign-thread"])
def test_interest_changes(pair, watcher, foreign):
    def set_interest(reading, writing):
        def change():
            pair.transport.set_interest(reading=reading, writing=writing)

        if foreign:
            in_thread(change).join(TIMEOUT)
        else:
            change()

    set_interest(False, True)
    pair.finish(lambda: watcher.writable)
    pair.peer.sendall(b"data")
    before = watcher.writable
    pair.finish(lambda: watcher.writable > before + 2)
    assert watcher.found == b""
    set_interest(True, False)
    pair.finish(lambda: watcher.found == b"data")
    pair.peer.sendall(b"more")
    pair.finish(lambda: watcher.found == b"datamore")
    settled = watcher.writable
    pair.peer.sendall(b"!")
    pair.finish(lambda: watcher.found == b"datamore!")
    assert watcher.writable == settled


def test_nothing_is_told_after_unwatch(pair, watcher, certificates):
    other = make_pair(pair.kind, certificates)
    other.transport.detach()
    witness = Watcher(other)
    other.transport.watch(witness)
    pair.transport.unwatch()
    pair.peer.sendall(b"data")
    other.peer.sendall(b"data")
    other.finish(lambda: witness.found == b"data")
    assert watcher.found == b""
    other.transport.unwatch()
    other.close()


def test_calls_never_overlap(pair, watcher):
    """Even if they take long, and data comes meanwhile."""
    watcher.delay = 0.02
    for _ in range(5):
        pair.peer.sendall(b"x")
        pair.transport.sleep(0.01)
    pair.finish(lambda: watcher.found == b"xxxxx" and not watcher.reading)
    assert not watcher.overlapped


def test_a_slow_call_delays_nobody_else(pair, watcher, certificates):
    watcher.is_held = True
    other = make_pair(pair.kind, certificates)
    other.transport.detach()
    quick = Watcher(other)
    other.transport.watch(quick)
    pair.peer.sendall(b"slow")
    pair.finish(lambda: watcher.reading)
    other.peer.sendall(b"quick")
    other.finish(lambda: quick.found == b"quick")
    assert watcher.found == b""
    watcher.is_held = False
    pair.finish(lambda: watcher.found == b"slow")
    other.transport.unwatch()
    other.close()


class Tireless(Watcher):
    """Has more to do however often it is called."""

    def __init__(self, pair, turns):
        super().__init__(pair)
        self.turns = turns

    def on_readable(self):
        super().on_readable()
        self.turns.append(self.pair.peer.fileno())
        return True


def watch_tireless(pair, turns):
    pair.transport.watch(Tireless(pair, turns))
    pair.peer.sendall(b"much")
    return pair.transport.unwatch


def start_tireless(pair, turns):
    ended = []

    def go_on():
        while not ended:
            pair.transport.take_turn()
            turns.append(pair.peer.fileno())

    pair.transport.start(go_on, "tireless")
    return lambda: ended.append(True)


@pytest.mark.parametrize("begin", [watch_tireless, start_tireless])
@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_many_with_more_to_do_delay_others_by_one_turn(kind, begin):
    turns = []
    pairs = [make_pair(kind, None) for _ in range(20)]
    for pair in pairs:
        pair.transport.detach()
    ends = [begin(pair, turns) for pair in pairs]
    new = make_pair(kind, None)
    new.transport.detach()
    watcher = Watcher(new)
    new.transport.watch(watcher)
    new.finish(lambda: len(turns) > 2 * len(pairs))
    for number in range(1, 6):
        new.peer.sendall(b"x")
        assert poll.wait_readable(new.transport.fileno(), TIMEOUT)  # in nobody's turn
        before = len(turns)
        while len(watcher.found) < number:
            assert len(turns) < before + 5, "it waits for many of them"
            new.transport.sleep(0)
    counts = [turns.count(pair.peer.fileno()) for pair in pairs]
    assert max(counts) - min(counts) <= 1
    for end in (*ends, new.transport.unwatch):
        end()
    for pair in (*pairs, new):
        pair.close()


def test_interest_that_changes_during_a_call_counts_afterwards(pair, watcher):
    watcher.is_held = True
    pair.peer.sendall(b"data")
    pair.finish(lambda: watcher.reading)
    pair.transport.set_interest(reading=False, writing=True)
    watcher.is_held = False
    pair.finish(lambda: watcher.found == b"data" and not watcher.reading)
    pair.peer.sendall(b"more")
    before = watcher.writable
    pair.finish(lambda: watcher.writable > before + 2)
    assert watcher.found == b"data"
    pair.transport.set_interest(reading=True, writing=False)
    pair.finish(lambda: watcher.found == b"datamore")


def test_a_socket_shut_down_while_only_writing_is_told_of(pair, watcher):
    """A full socket is not read; its end is found nevertheless, here or there."""
    pair.transport.set_interest(reading=False, writing=True)
    pair.finish(lambda: watcher.writable)
    pair.transport.shutdown()
    before = watcher.writable
    pair.finish(lambda: watcher.ends or watcher.writable > before)


def test_pushing_from_foreign_threads_while_watched(pair, watcher):
    data = b"x" * 200_000
    lock = threading.Lock()

    def push():
        with lock:
            pair.transport.send(data, time.monotonic() + TIMEOUT)

    threads = [in_thread(push) for _ in range(3)]
    found = 0
    pair.peer.settimeout(TIMEOUT)
    while found < 3 * len(data):
        found += len(pair.peer.recv(1 << 16))
    for thread in threads:
        thread.join(TIMEOUT)
    assert watcher.found == b""


def test_a_transport_must_fill_these():
    ours, transport = make_pair("threads", None), None
    transport = Transport(ours.transport.sock)
    assert transport.detach() is False
    for call in (
        lambda: transport.watch(None),
        lambda: transport.set_interest(reading=True, writing=False),
        transport.unwatch,
    ):
        with pytest.raises(NotImplementedError):
            call()
    ours.close()
