"""try_send, try_send_parts, send, and a peer that does not read."""

import contextlib
import os
import select
import ssl
import threading
import time

import pytest

from .pairs import TIMEOUT, in_thread


def read_exactly(peer, size):
    found = bytearray()
    while len(found) < size:
        data = peer.recv(1 << 16)
        assert data, "the stream ended"
        found += data
    return bytes(found)


def send_while_reading(peer, data):
    """In one thread: ``ssl`` does not take calls from two."""
    peer.setblocking(False)
    rest, found = memoryview(data), bytearray()
    while rest or len(found) < len(data):
        select.select([peer], [peer] if rest else [], [], TIMEOUT)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            rest = rest[peer.send(rest) :]
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            received = peer.recv(1 << 16)
            assert received, "the stream ended"
            found += received
    return bytes(found)


def send_burst(transport):
    size = 0
    while sent := transport.try_send(b"x" * 65_536):
        size += sent
    return size


def fill(transport):
    """Send until nothing more is taken; how much was.

    The system moves what it took to the peer's buffer in its own time, and then takes more.
    """
    size, full = send_burst(transport), False
    while not full:
        writable = transport.wait_writable(0.1)
        sent = send_burst(transport)
        size += sent
        full = not writable and not sent
    return size


@pytest.mark.parametrize("data", [b"data", memoryview(b"data")])
def test_small(transport, peer, data):
    assert transport.try_send(data) == 4
    assert read_exactly(peer, 4) == b"data"


def test_nothing(transport, peer):
    assert transport.try_send(b"") == 0
    transport.send(b"", 0)
    transport.send(b"x", None)
    assert peer.recv(10) == b"x"


def test_parts_arrive_as_one(transport, peer):
    assert transport.try_send_parts((b"head", b"payload")) == 11
    assert read_exactly(peer, 11) == b"headpayload"


def test_large(pair):
    data = os.urandom(8_000_000)
    found = []
    reader = in_thread(lambda: found.append(read_exactly(pair.peer, len(data))))
    pair.transport.send(data, time.monotonic() + TIMEOUT)
    reader.join(TIMEOUT)
    assert found == [data]


def test_a_full_socket_takes_nothing(pair):
    transport, peer = pair.transport, pair.peer
    assert transport.wait_writable(0) is True
    size = fill(transport)
    if pair.is_tls:
        # What a TLS call could not write it must be given again; then the stream goes on.
        assert transport.try_send(b"x" * 65_536) == 0
    else:
        assert transport.try_send_parts((b"x" * 65_536, b"y")) == 0
    assert transport.wait_writable(0) is False
    assert transport.wait_writable(0.02) is False
    reader = in_thread(read_exactly, peer, size)
    assert transport.wait_writable(TIMEOUT) is True
    reader.join(TIMEOUT)


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_peer_that_does_not_read_ends_a_send(transport, seconds):
    fill(transport)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="peer did not take"):
        transport.send(b"x" * 65_536, started + seconds)
    assert seconds <= time.monotonic() - started < TIMEOUT


def test_send_without_a_deadline_waits_for_the_peer(pair):
    size = fill(pair.transport)
    found = []
    reader = threading.Timer(0.03, lambda: found.append(read_exactly(pair.peer, size + 65_536)))
    reader.start()
    pair.transport.send(b"x" * 65_536, None)
    reader.join(TIMEOUT)
    assert found == [b"x" * (size + 65_536)]


def test_to_a_peer_that_is_gone(pair):
    pair.peer.close()

    def push():
        for _ in range(1000):
            pair.transport.send(b"x" * 1000, time.monotonic() + TIMEOUT)

    with pytest.raises(OSError, match=r"(?i)broken pipe|reset|EOF"):
        push()


def test_both_directions_at_once(pair):
    """One reader and one writer, neither waiting for the other."""
    size = 2_000_000
    data = os.urandom(size)
    sent, found = [], []

    def send():
        pair.transport.send(data, time.monotonic() + TIMEOUT)
        sent.append(True)

    peer = in_thread(lambda: found.append(send_while_reading(pair.peer, data)))
    pair.transport.start(send, "sender")
    assert pair.receive_all(size) == data
    pair.finish(lambda: sent)
    peer.join(TIMEOUT)
    assert found == [data]


def test_a_foreign_thread_may_send(pair):
    size = fill(pair.transport)
    thread = in_thread(pair.transport.send, b"x" * 65_536, time.monotonic() + TIMEOUT)
    assert len(read_exactly(pair.peer, size + 65_536)) == size + 65_536
    thread.join(TIMEOUT)
    assert not thread.is_alive()
