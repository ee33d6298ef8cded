"""Locks, what runs beside, gathering, and the end."""

import socket
import time

import gevent
import pytest

from dwebsocket.transports.base import Transport, remaining

from .pairs import TIMEOUT, in_thread, make_pair


def test_lock(transport):
    lock = transport.create_lock()
    assert lock.acquire()
    assert lock.acquire(False) is False
    assert lock.acquire(timeout=0) is False
    started = time.monotonic()
    assert lock.acquire(timeout=0.02) is False
    assert time.monotonic() - started >= 0.015
    lock.release()
    assert lock.acquire(timeout=0) is True
    lock.release()
    assert lock.acquire(False) is True
    lock.release()
    with lock:
        assert lock.acquire(False) is False


def test_start_runs_beside_and_sleep_lets_it(pair):
    ran = []
    pair.transport.start(lambda: ran.append(True), "dwebsocket-test")
    pair.finish(lambda: ran)


def test_a_waiting_reader_lets_others_run(pair):
    got, turns = [], []

    def read():
        got.append(pair.receive_all(4))

    def count():
        for _ in range(3):
            turns.append(True)
            pair.transport.sleep(0.001)
        pair.peer.sendall(b"data")

    pair.transport.start(read, "reader")
    pair.transport.start(count, "counter")
    pair.finish(lambda: got)
    assert got == [b"data"]
    assert len(turns) == 3


def test_shutdown_wakes_a_reader(pair):
    ended = []

    def read():
        try:
            ended.append(pair.transport.receive(None)[1])
        except OSError:
            ended.append(0)

    pair.transport.start(read, "reader")
    pair.transport.sleep(0.02)  # most likely it waits by now; the end is the same if it does not
    assert ended == []
    pair.transport.shutdown()
    pair.finish(lambda: ended)
    assert ended == [0]
    assert pair.peer.recv(10) == b""


def test_shutdown_leaves_the_socket_open(pair):
    pair.transport.shutdown()
    assert pair.transport.fileno() > 0
    with pytest.raises(OSError, match=r".+"):
        pair.transport.send(b"x", time.monotonic() + TIMEOUT)


def test_shutdown_of_what_is_over_is_no_error(pair):
    pair.transport.shutdown()
    pair.transport.shutdown()
    pair.transport.shutdown_writing()
    pair.transport.sock.close()
    pair.transport.shutdown()


def test_shutdown_writing(pair):
    pair.transport.send(b"last", time.monotonic() + TIMEOUT)
    pair.transport.shutdown_writing()
    assert pair.peer.recv(10) == b"last"
    assert pair.peer.recv(10) == b""
    if not pair.is_tls:  # there the session is over for both sides
        pair.peer.sendall(b"still heard")
        assert pair.receive_all(11) == b"still heard"


# Gathering: only whoever reads, or works through a batch


@pytest.fixture(params=["threads", "threads-tls"])
def thread_pair(request, certificates):
    made = make_pair(request.param, certificates)
    yield made
    made.close()


def test_a_thread_gathers_during_its_batch_only(thread_pair):
    transport = thread_pair.transport
    assert transport.gathers is True
    assert transport.gather(lambda: None) is False
    transport.start_gathering()
    assert transport.gather(lambda: None) is True
    others = []
    in_thread(lambda: others.append(transport.gather(lambda: None))).join(TIMEOUT)
    assert others == [False]
    in_thread(transport.stop_gathering).join(TIMEOUT)
    assert transport.gather(lambda: None) is False


@pytest.mark.parametrize("kind", ["eventlet", "eventlet-tls"])
def test_an_eventlet_nobody_watches_does_not_gather(certificates, kind):
    made = make_pair(kind, certificates)
    assert made.transport.gather(lambda: None) is False
    made.close()


@pytest.fixture(params=["gevent", "gevent-tls"])
def gevent_pair(request, certificates):
    made = make_pair(request.param, certificates)
    yield made
    made.close()


def test_the_reading_greenlet_gathers_until_it_yields(gevent_pair):
    transport = gevent_pair.transport
    assert transport.gathers is True
    flushed, states = [], []

    def read():
        gevent_pair.receive_all(4)
        states.append(transport.gather(lambda: flushed.append(True)))
        states.append(bool(flushed))  # not before control is given up
        gevent.sleep(0)
        states.append(bool(flushed))

    gevent_pair.peer.sendall(b"data")
    gevent.spawn(read).get(timeout=TIMEOUT)
    assert states == [True, False, True]


def test_another_greenlet_does_not_gather(gevent_pair):
    gevent_pair.peer.sendall(b"data")
    gevent.spawn(gevent_pair.receive_all, 4).get(timeout=TIMEOUT)
    assert gevent_pair.transport.gather(lambda: None) is False


def test_many_readers_share_one_buffer(certificates):
    pairs = [make_pair("gevent", certificates) for _ in range(20)]
    readers = [gevent.spawn(pair.receive_all, 200_000) for pair in pairs]
    for number, pair in enumerate(pairs):
        pair.peer.sendall(bytes([number]) * 1000)
    gevent.sleep(0)
    senders = [
        gevent.get_hub().threadpool.spawn(pair.peer.sendall, bytes([number]) * 199_000)
        for number, pair in enumerate(pairs)
    ]
    gevent.joinall(senders, timeout=TIMEOUT)
    for number, reader in enumerate(readers):
        assert reader.get(timeout=TIMEOUT) == bytes([number]) * 200_000
    for pair in pairs:
        pair.close()


# The contract


def test_remaining():
    assert remaining(None) is None
    assert remaining(time.monotonic() - 5) == 0.0
    assert 4 < remaining(time.monotonic() + 5) <= 5


CALLS = [
    lambda transport: transport.try_receive(),
    lambda transport: transport.try_send(b"x"),
    lambda transport: transport.wait_readable(0),
    lambda transport: transport.wait_writable(0),
    lambda transport: transport.sleep(0),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_transport_must_fill_these(call):
    ours, peer = socket.socketpair()
    with ours, peer, pytest.raises(NotImplementedError):
        call(Transport(ours))
