"""Leader and followers: one thread polls and calls, another takes over when a call is slow."""

import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dwebsocket.supervisor import start_thread
from dwebsocket.transports import thread_loop
from dwebsocket.transports.pollers import SelectorPoller, create_poller
from dwebsocket.transports.thread_loop import MAX_WORKERS, ThreadLoop, Watch, get_loop

from ..servers.process import wait_until
from .pairs import TIMEOUT

ROOT = Path(__file__).resolve().parents[2]
POLLERS = {
    "best": create_poller,
    "poll": lambda: SelectorPoller(selectors.PollSelector()),
    "select": lambda: SelectorPoller(selectors.SelectSelector()),
}


class CountingPoller:
    """A poller that counts its polls."""

    def __init__(self, poller):
        self._poller = poller
        self.polls = 0

    def poll(self):
        self.polls += 1
        return self._poller.poll()

    def __getattr__(self, name):
        return getattr(self._poller, name)


class Reader:
    """Watches one end of a socket pair, and is held up as long as the test wants."""

    def __init__(self, loop, delayed=False):
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self.loop = loop
        self.found = bytearray()
        self.free = threading.Event()
        if not delayed:
            self.free.set()
        self.in_call = threading.Event()
        self.calls = self.writable = self.stalled = 0
        self.threads = set()
        self.ended = threading.Event()
        self.watch = Watch(self.ours.fileno(), self)
        loop.add(self.watch)

    def on_readable(self):
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        self.in_call.set()
        assert self.free.wait(TIMEOUT)
        try:
            data = self.ours.recv(1000)
        except BlockingIOError:
            return False
        except OSError:  # reset, or the test is over
            data = b""
        if data:
            self.found += data
        else:
            self.ended.set()
            self.loop.discard(self.watch)
        return False

    def on_writable(self):
        self.writable += 1
        try:
            self.ours.send(b"x")
        except BlockingIOError:
            pass
        except OSError:  # it has ended: that is found by reading
            self.loop.set_interest(self.watch, reading=True, writing=False)

    def on_stalled(self):
        self.stalled += 1

    def wait_for(self, data):
        wait_until(lambda: self.found == data, f"{data} was read", timeout=TIMEOUT)

    def close(self):
        self.free.set()
        self.loop.discard(self.watch)
        self.ours.close()
        self.peer.close()


@pytest.fixture(params=POLLERS)
def loop(request, monkeypatch):
    """A loop of its own, whose threads end soon when they have nothing to do."""
    monkeypatch.setattr(
        thread_loop, "create_poller", lambda: CountingPoller(POLLERS[request.param]())
    )
    return ThreadLoop()


@pytest.fixture
def watch(loop):
    readers = []

    def make(**options):
        readers.append(Reader(loop, **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


class Unfinished(Reader):
    """Is never done: what it has read is more than one turn's work."""

    def on_readable(self):
        super().on_readable()
        return not self.ended.is_set()


def test_one_that_is_not_done_is_called_again_behind_others(loop, watch):
    unfinished, others = Unfinished(loop), [watch() for _ in range(5)]
    try:
        unfinished.peer.sendall(b"x")
        for number in range(1, 6):
            calls = unfinished.calls
            wait_until(lambda calls=calls: unfinished.calls > calls + 10, "it goes on", TIMEOUT)
            for reader in others:
                reader.peer.sendall(b"x")
            for reader in others:
                reader.wait_for(b"x" * number)
        assert unfinished.found == b"x"
        unfinished.peer.close()
        assert unfinished.ended.wait(TIMEOUT)
    finally:
        unfinished.close()


def test_a_slow_call_of_one_that_is_not_done_does_not_spin(loop, watch):
    unfinished, quick = Unfinished(loop), watch()
    try:
        unfinished.peer.sendall(b"x")
        wait_until(lambda: unfinished.calls > 10, "it goes on", TIMEOUT)
        unfinished.free.clear()
        wait_until(lambda: unfinished.stalled, "another thread leads", TIMEOUT)
        quick.peer.sendall(b"x")
        quick.wait_for(b"x")
        before = loop._poller.polls
        for number in range(2, 7):
            quick.peer.sendall(b"x")
            quick.wait_for(b"x" * number)
            threading.Event().wait(0.02)  # time to spin in
        assert loop._poller.polls - before < 50
        calls = unfinished.calls
        unfinished.free.set()
        wait_until(lambda: unfinished.calls > calls + 10, "it goes on", TIMEOUT)
    finally:
        unfinished.close()


def test_one_that_may_not_read_is_not_called_although_it_is_not_done(loop, watch):
    unfinished = Unfinished(loop)
    try:
        unfinished.peer.sendall(b"x")
        wait_until(lambda: unfinished.calls > 10, "it goes on", TIMEOUT)
        loop.set_interest(unfinished.watch, reading=False, writing=False)
        calls = unfinished.calls
        other = watch()
        other.peer.sendall(b"x")
        other.wait_for(b"x")
        assert unfinished.calls <= calls + 2  # one that was found already
        loop.set_interest(unfinished.watch, reading=True, writing=False)
        wait_until(lambda: unfinished.calls > calls + 10, "it goes on", TIMEOUT)
    finally:
        unfinished.close()


def test_one_thread_serves_all(watch):
    readers = [watch() for _ in range(20)]
    for number in range(1, 6):
        for reader in readers:
            reader.peer.sendall(b"x")
        for reader in readers:
            reader.wait_for(b"x" * number)
    # Another one may have taken over on a machine that was busy, but not for everybody.
    assert set.union(*(reader.threads for reader in readers)) <= {
        f"dwebsocket-loop-{number}" for number in range(1, MAX_WORKERS + 1)
    }


def test_another_thread_takes_over_from_a_slow_call(watch):
    slow, quick = watch(delayed=True), watch()
    slow.peer.sendall(b"slow")
    assert slow.in_call.wait(TIMEOUT)
    quick.peer.sendall(b"quick")
    quick.wait_for(b"quick")
    assert slow.found == b""
    assert slow.threads.isdisjoint(quick.threads)
    wait_until(lambda: slow.stalled == 1, "the slow one is told")
    slow.free.set()
    slow.wait_for(b"slow")
    slow.peer.sendall(b"again")
    slow.wait_for(b"slowagain")


def test_a_slow_call_after_a_long_rest_is_noticed(loop, watch):
    """The one who looks at the clock sleeps while nothing happens."""
    slow, quick = watch(delayed=True), watch()
    wait_until(lambda: loop._quiet, "nobody looks at the clock")
    slow.peer.sendall(b"slow")
    assert slow.in_call.wait(TIMEOUT)
    quick.peer.sendall(b"quick")
    quick.wait_for(b"quick")


def test_what_comes_during_a_slow_call_waits_for_its_end(watch):
    slow = watch(delayed=True)
    slow.peer.sendall(b"a")
    assert slow.in_call.wait(TIMEOUT)
    wait_until(lambda: slow.stalled, "another thread leads")
    slow.peer.sendall(b"b")
    other = watch()
    other.peer.sendall(b"x")
    other.wait_for(b"x")
    assert slow.calls == 1
    slow.free.set()
    slow.wait_for(b"ab")


def test_a_full_pool_says_so_once_and_goes_on(watch, caplog):
    caplog.set_level(logging.WARNING, "dwebsocket.connection")
    for _ in range(2):
        slow = [watch(delayed=True) for _ in range(MAX_WORKERS)]
        for reader in slow:
            reader.peer.sendall(b"slow")
        for reader in slow:
            assert reader.in_call.wait(TIMEOUT)
        wait_until(lambda: all(reader.stalled for reader in slow), "all are slow")  # noqa: B023
        late = watch()
        late.peer.sendall(b"late")
        slow[3].free.set()
        late.wait_for(b"late")
        for reader in slow:
            reader.free.set()
        for reader in slow:
            reader.wait_for(b"slow")
    [record] = caplog.records
    assert f"All {MAX_WORKERS} threads" in record.getMessage()


def test_a_pool_has_no_more_threads_than_it_may(loop, watch):
    slow = [watch(delayed=True) for _ in range(2 * MAX_WORKERS)]
    for reader in slow:
        reader.peer.sendall(b"slow")
    wait_until(
        lambda: sum(reader.in_call.is_set() for reader in slow) == MAX_WORKERS, "the pool is full"
    )
    wait_until(lambda: sum(reader.stalled for reader in slow) == MAX_WORKERS, "all are slow")
    assert len(loop._workers) == MAX_WORKERS
    for reader in slow:
        reader.free.set()
    for reader in slow:
        reader.wait_for(b"slow")
    assert len(set.union(*(reader.threads for reader in slow))) <= MAX_WORKERS


@pytest.mark.parametrize("writing", [False, True])
def test_a_hang_up_during_a_slow_call_does_not_spin(loop, watch, writing):
    slow, quick = watch(delayed=True), watch()
    slow.peer.sendall(b"slow")
    assert slow.in_call.wait(TIMEOUT)
    wait_until(lambda: slow.stalled, "another thread leads")
    if writing:
        # The socket is full, as that of a peer that does not read.
        try:
            while slow.ours.send(b"x" * 65_536):
                pass
        except BlockingIOError:
            pass
        loop.set_interest(slow.watch, reading=False, writing=True)
    slow.peer.close()
    quick.peer.sendall(b"x")
    quick.wait_for(b"x")
    before, writable = loop._poller.polls, slow.writable
    for number in range(2, 7):
        quick.peer.sendall(b"x")
        quick.wait_for(b"x" * number)
        threading.Event().wait(0.02)  # time to spin in
    assert loop._poller.polls - before < 50
    assert slow.writable - writable < 50
    assert slow.calls == 1
    slow.free.set()
    assert slow.ended.wait(TIMEOUT)


def test_nothing_is_called_after_a_discard(loop, watch):
    gone, witness = watch(), watch()
    loop.discard(gone.watch)
    loop.discard(gone.watch)
    loop.set_interest(gone.watch, reading=True, writing=True)
    gone.peer.sendall(b"x")
    witness.peer.sendall(b"x")
    witness.wait_for(b"x")
    assert (gone.calls, gone.writable) == (0, 0)


def test_a_discard_during_a_slow_call(loop, watch):
    slow = watch(delayed=True)
    slow.peer.sendall(b"x")
    assert slow.in_call.wait(TIMEOUT)
    wait_until(lambda: slow.stalled, "another thread leads")
    loop.discard(slow.watch)
    slow.peer.sendall(b"y")
    slow.free.set()
    slow.wait_for(b"xy")
    witness = watch()
    slow.peer.sendall(b"z")
    witness.peer.sendall(b"x")
    witness.wait_for(b"x")
    assert slow.calls == 1


def test_a_slow_call_that_has_closed_its_connection(loop, watch):
    """Nothing is asked about it any more, and the others get their turn, now and later."""
    slow, quick = watch(delayed=True), watch()
    read = slow.on_readable

    def close_first():  # it had more to write than was taken
        loop.set_interest(slow.watch, reading=True, writing=True)
        loop.discard(slow.watch)
        slow.ours.close()
        read()

    slow.on_readable = close_first
    slow.peer.sendall(b"x")
    assert slow.in_call.wait(TIMEOUT)
    quick.peer.sendall(b"quick")
    quick.wait_for(b"quick")
    assert slow.watch.registered == 0
    again = watch(delayed=True)
    again.peer.sendall(b"slow")
    assert again.in_call.wait(TIMEOUT)
    quick.peer.sendall(b"er")
    quick.wait_for(b"quicker")


def test_a_descriptor_that_is_used_again(loop, watch):
    """The old watch's late words do not touch the new one's."""
    old = watch()
    fd = old.ours.fileno()
    loop.discard(old.watch)
    old.ours.close()
    new = watch()
    if new.ours.fileno() != fd:
        os.dup2(new.ours.fileno(), fd)
        pytest.skip("the system gave another number")
    loop.discard(old.watch)
    loop.set_interest(old.watch, reading=False, writing=False)
    new.peer.sendall(b"x")
    new.wait_for(b"x")


def test_threads_that_are_not_needed_end(loop, watch, monkeypatch):
    monkeypatch.setattr(thread_loop, "IDLE_TIMEOUT", 0.05)
    slow = [watch(delayed=True) for _ in range(4)]
    for reader in slow:
        reader.peer.sendall(b"slow")
    for reader in slow:
        assert reader.in_call.wait(TIMEOUT)
    wait_until(lambda: len(loop._workers) >= 5, "another thread leads")
    for reader in slow:
        reader.free.set()
    wait_until(lambda: len(loop._workers) <= 2, "threads end")
    for reader in slow:
        reader.peer.sendall(b"again")
    for reader in slow:
        reader.wait_for(b"slowagain")


def test_threads_that_wait_end_when_the_system_has_no_other(loop, watch, monkeypatch):
    monkeypatch.setattr(thread_loop, "loops", [loop])
    slow = [watch(delayed=True) for _ in range(4)]
    for reader in slow:
        reader.peer.sendall(b"slow")
    wait_until(lambda: len(loop._workers) >= 5, "another thread leads")
    for reader in slow:
        reader.free.set()
        reader.wait_for(b"slow")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse_to_start)
        with pytest.raises(RuntimeError):
            start_thread(print, "one-too-many")
        wait_until(lambda: len(loop._workers) == 1, "the others end", timeout=5)
    for reader in slow:
        reader.in_call.clear()
        reader.free.clear()
        reader.peer.sendall(b"again")
    for reader in slow:
        assert reader.in_call.wait(TIMEOUT)
    for reader in slow:
        reader.free.set()
        reader.wait_for(b"slowagain")


def refuse_to_start(thread):
    raise RuntimeError("can't start new thread")


def test_many_slow_and_quick_ones_together(watch):
    """Nobody is called twice at a time, nothing is lost, whoever leads."""
    readers = [watch() for _ in range(30)]

    def push(reader, number):
        for count in range(50):
            reader.peer.sendall(b"x")
            if (count + number) % 10 == 0:
                threading.Event().wait(0.006)

    pushers = [
        threading.Thread(target=push, args=(reader, number), daemon=True)
        for number, reader in enumerate(readers)
    ]
    for pusher in pushers:
        pusher.start()
    for reader in readers[::3]:  # some calls are slow now and then
        reader.free.clear()
        threading.Event().wait(0.007)
        reader.free.set()
    for reader in readers:
        reader.wait_for(b"x" * 50)


def test_there_is_one_loop_a_process():
    assert get_loop() is get_loop()


FORKED = """
import os, socket, sys, threading
from dwebsocket.transports.thread_loop import Watch, get_loop

class Reader:
    def __init__(self):
        self.ours, self.peer = socket.socketpair()
        self.got = threading.Event()
        get_loop().add(Watch(self.ours.fileno(), self))
    def on_readable(self):
        assert self.ours.recv(10)
        self.got.set()
    def ask(self):
        self.got.clear()
        self.peer.sendall(b"x")
        return self.got.wait(5)

reader = Reader()
assert reader.ask()
loop = get_loop()
child = os.fork()
if not child:
    assert get_loop() is not loop
    own = Reader()
    os._exit(0 if own.ask() and own.ask() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert get_loop() is loop
assert reader.ask()  # the child has closed its copy, and taken nothing out
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_its_own_loop():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr


class Failing(Reader):
    """Raises in the method that the test names, once it has been told to."""

    def __init__(self, loop, where, error):
        self.where, self.error = where, error
        self.failed = threading.Event()
        super().__init__(loop)

    def on_readable(self):
        self.fail("on_readable")
        return super().on_readable()

    def on_writable(self):
        self.fail("on_writable")
        super().on_writable()

    def on_stalled(self):
        self.fail("on_stalled")

    def fail(self, where):
        if self.where == where:
            raise self.error

    def on_failure(self):
        self.loop.discard(self.watch)
        self.failed.set()
        if self.where == "on_readable":
            raise self.error  # this, too


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("on_readable", MemoryError()),
        ("on_readable", SystemExit()),
        ("on_writable", ValueError("once")),
    ],
)
def test_whoever_raises_is_told_and_the_others_are_called(loop, where, error):
    for _ in range(MAX_WORKERS + 1):
        failing = Failing(loop, where, error)
        if where == "on_writable":
            loop.set_interest(failing.watch, reading=True, writing=True)
        else:
            failing.peer.send(b"hello")
        assert failing.failed.wait(TIMEOUT)
        # It raises behind that, and the log of the next test is not to be told.
        wait_until(lambda: not failing.watch.busy, "its call is over")  # noqa: B023
        failing.close()
    reader = Reader(loop)
    reader.peer.send(b"hello")
    wait_until(lambda: reader.found == b"hello", "the others are called")
    reader.close()


def test_whoever_raises_when_it_lasts(loop):
    slow = Failing(loop, "on_stalled", ValueError("once"))
    slow.free.clear()
    slow.peer.send(b"hello")
    assert slow.failed.wait(TIMEOUT)
    reader = Reader(loop)
    reader.peer.send(b"hello")
    wait_until(lambda: reader.found == b"hello", "somebody else leads")
    slow.free.set()
    wait_until(lambda: slow.found == b"hello", "its call ends")
    slow.close()
    reader.close()


def test_a_poller_that_fails_once(loop, monkeypatch):
    poller = loop._poller
    failures = [MemoryError(), OSError("of the system")]

    class FailingPoller(CountingPoller):
        def poll(self):
            if failures:
                raise failures.pop()
            return super().poll()

    loop._poller = FailingPoller(poller)
    for _ in range(2):
        reader = Reader(loop)
        reader.peer.send(b"hello")
        wait_until(lambda reader=reader: reader.found == b"hello", "it is called all the same")
        reader.close()
