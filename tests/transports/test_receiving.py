"""try_receive, receive, is_hung_up."""

import os
import socket
import struct
import sys
import threading
import time
from array import array
from fcntl import ioctl
from termios import FIONREAD

import pytest

from .pairs import TIMEOUT, in_thread, make_pair


def soon():
    return time.monotonic() + TIMEOUT


def test_nothing_is_none(transport):
    assert transport.try_receive() is None


def test_what_is_here(transport, peer):
    peer.sendall(b"data")
    buffer, count = transport.receive(soon())
    assert bytes(buffer[:count]) == b"data"
    assert transport.try_receive() is None


@pytest.mark.parametrize("deadline", [None, TIMEOUT])
def test_receive_waits(transport, peer, deadline):
    threading.Timer(0.03, peer.sendall, [b"late"]).start()
    buffer, count = transport.receive(deadline and soon())
    assert bytes(buffer[:count]) == b"late"


@pytest.mark.parametrize("seconds", [-1, 0, 0.03])
def test_receive_ends_at_its_deadline(transport, seconds):
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        transport.receive(started + seconds)
    assert seconds <= time.monotonic() - started < TIMEOUT


def test_a_deadline_in_the_past_still_finds_what_is_here(pair):
    pair.peer.sendall(b"data")
    pair.finish(lambda: pair.transport.wait_readable(0))
    buffer, count = pair.transport.receive(time.monotonic() - 1)
    assert bytes(buffer[:count]) == b"data"


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 16_384, 262_144, 262_145, 3_000_000])
def test_sizes(pair, size):
    data = os.urandom(size)
    sender = in_thread(pair.peer.sendall, data)
    assert pair.receive_all(size) == data
    sender.join(TIMEOUT)


def test_small_after_large(pair):
    for size in (500_000, 1, 3, 500_000, 100):
        sender = in_thread(pair.peer.sendall, b"x" * size)
        assert pair.receive_all(size) == b"x" * size
        sender.join(TIMEOUT)


def test_end_of_the_stream_is_a_count_of_0(transport, peer):
    peer.sendall(b"last")
    peer.shutdown(socket.SHUT_WR)  # a close would reset: TLS 1.3 has sent tickets, still unread
    buffer, count = transport.receive(soon())
    assert bytes(buffer[:count]) == b"last"
    assert transport.receive(soon())[1] == 0
    assert transport.try_receive()[1] == 0


def test_broken_connection(pair):
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.peer.close()
    if pair.is_tls and sys.version_info < (3, 13):  # its ssl makes an end of the stream of it
        assert pair.transport.receive(soon())[1] == 0
    else:
        with pytest.raises(ConnectionResetError):
            pair.transport.receive(soon())


def test_hang_up_is_seen_behind_unread_data(pair):
    assert not pair.transport.is_hung_up()
    pair.peer.sendall(b"unread")
    pair.finish(lambda: pair.transport.wait_readable(0))
    assert not pair.transport.is_hung_up()
    pair.peer.close()
    pair.finish(pair.transport.is_hung_up)
    assert pair.receive_all(6) == b"unread"


def test_wait_readable(pair):
    transport = pair.transport
    pair.finish(lambda: transport.try_receive() is None)  # TLS: the handshake's last records
    assert transport.wait_readable(0) is False
    assert transport.wait_readable(0.02) is False
    pair.peer.sendall(b"x")
    assert transport.wait_readable(TIMEOUT) is True
    assert transport.wait_readable(None) is True
    assert [transport.wait_readable(0) for _ in range(6)] == [True] * 6


def test_a_foreign_thread_may_receive(pair):
    """gevent's and eventlet's hubs belong to one thread; a view may use others."""
    found = []

    def receive():
        buffer, count = pair.transport.receive(soon())
        found.append(bytes(buffer[:count]))
        try:
            pair.transport.receive(time.monotonic() + 0.02)
        except TimeoutError:
            found.append("timed out")

    thread = in_thread(receive)
    pair.peer.sendall(b"for the thread")
    thread.join(TIMEOUT)
    assert found == [b"for the thread", "timed out"]


def receive_large(pair):
    """More than a first read holds, in a buffer that is used again."""
    data = os.urandom(20_000)
    pair.peer.sendall(data)
    pair.finish(lambda: count_unread(pair) == len(data))
    buffer, count = pair.transport.receive(soon())
    assert bytes(buffer[:count]) == data
    return buffer


def count_unread(pair):
    found = array("i", [0])
    ioctl(pair.transport.fileno(), FIONREAD, found)
    return found[0]


def test_a_buffer_for_large_reads_is_used_by_others_when_it_has_been_read(certificates):
    one, other, third = (make_pair("threads", certificates) for _ in range(3))
    buffer = receive_large(one)
    content = bytes(buffer)
    assert receive_large(other) is not buffer
    assert buffer == content
    one.peer.sendall(b"small")
    assert one.transport.receive(soon()) == (b"small", 5)
    assert receive_large(third) is buffer
    for pair in (one, other, third):
        pair.close()


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_a_foreign_thread_has_a_buffer_of_its_own(certificates, kind):
    """The shared one is only safe where nothing else can run before it is emptied."""
    made = make_pair(kind, certificates)
    shared = sys.modules[type(made.transport).__module__].BUFFER
    made.peer.sendall(b"a")
    assert made.transport.receive(soon())[0] is shared
    found = []
    made.peer.sendall(b"b")
    in_thread(lambda: found.append(made.transport.receive(soon())[0])).join(TIMEOUT)
    assert found[0] is not shared
    assert found[0][:1] == b"b"
    assert shared[:1] == b"a"
    made.close()
