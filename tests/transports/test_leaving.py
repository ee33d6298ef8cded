"""Leaving the server: the connection goes on under a descriptor of our own."""

import os
import resource
import socket
import sys
import time
from pathlib import Path

import gevent
import pytest

from dwebsocket.transports import descriptors, detach

from .pairs import KINDS, TIMEOUT, in_thread, make_pair


@pytest.fixture(params=KINDS)
def leaving(request, certificates):
    made = make_pair(request.param, certificates)
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_transport_leaves_the_server_nothing_to_read(certificates, kind):
    made = make_pair(kind, certificates)
    server_socket = made.transport.sock
    fd = server_socket.fileno()
    made.peer.sendall(b"GET /smuggled/ HTTP/1.1\r\n\r\n")
    made.transport.shutdown()
    made.transport.close()
    made.transport.close()
    made.peer.settimeout(TIMEOUT)
    with socket.socket(fileno=os.dup(fd)) as left:
        left.settimeout(TIMEOUT)
        assert left.recv(100) == b""
        with pytest.raises(OSError, match=r"(?i)broken pipe"):
            left.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert server_socket.fileno() == fd
    made.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
def test_a_reader_hears_of_the_end(certificates, kind, leaves):
    made = make_pair(kind, certificates)
    if leaves:
        made.transport.detach()
    outcome = []

    def read():
        try:
            outcome.append(made.transport.receive()[1])
        except OSError as error:
            outcome.append(error)

    made.transport.start(read, "reader")
    made.transport.sleep(0.01)  # the reader waits now; should it not yet, it finds the end at once
    made.transport.shutdown()
    made.transport.close()
    made.finish(lambda: outcome)
    assert outcome[0] == 0 or isinstance(outcome[0], OSError)
    made.close()


def test_the_connection_goes_on(leaving):
    transport = leaving.transport
    server_socket = transport.sock
    assert transport.detach() is True
    assert transport.sock is not server_socket
    assert transport.fileno() != server_socket.fileno()
    server_socket.close()
    leaving.peer.sendall(b"question")
    assert leaving.receive_all(8) == b"question"
    transport.send(b"answer", time.monotonic() + TIMEOUT)
    assert transport.try_send_parts((b"in ", b"parts")) == 8
    assert leaving.peer.recv(6) == b"answer"
    assert leaving.peer.recv(8) == b"in parts"
    leaving.peer.close()
    leaving.finish(transport.is_hung_up)
    transport.close()


def test_large_both_ways(leaving):
    leaving.transport.detach()
    data = os.urandom(2_000_000)
    found = bytearray()

    def echo():
        leaving.peer.sendall(data)
        while len(found) < len(data):
            found.extend(leaving.peer.recv(1 << 16))

    peer = in_thread(echo)
    assert leaving.receive_all(len(data)) == data
    leaving.transport.send(data, time.monotonic() + TIMEOUT)
    peer.join(TIMEOUT)
    assert bytes(found) == data


def test_the_server_finds_that_its_client_has_left(leaving):
    server_socket = leaving.transport.sock
    leaving.transport.detach()
    assert server_socket.recv(100) == b""
    with pytest.raises(OSError, match=r"(?i)broken pipe"):
        server_socket.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    server_socket.close()
    leaving.transport.close()
    assert leaving.peer.recv(100) == b""


def test_a_reader_waits_on_the_new_descriptor(leaving):
    """Also when the old one had been registered with the loop before."""
    transport = leaving.transport
    assert transport.wait_readable(0.001) is False
    server_socket = transport.sock
    transport.detach()
    server_socket.close()
    found = []
    for number in range(1, 4):
        transport.start(lambda: found.append(leaving.receive_all(1)), "reader")
        transport.sleep(0.001)
        leaving.peer.sendall(b"x")
        leaving.finish(lambda: len(found) == number)  # noqa: B023
    assert found == [b"x"] * 3
    assert transport.wait_readable(0.001) is False


def watched_descriptors():
    """The descriptors in the epoll set of gevent's loop, as the kernel tells."""
    info = Path(f"/proc/self/fdinfo/{gevent.get_hub().loop.fileno()}").read_text()
    return {int(line.split()[1]) for line in info.splitlines() if line.startswith("tfd:")}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("leaving", ["gevent"], indirect=True)
def test_the_loop_forgets_the_old_descriptor(leaving):
    """It would wake up for every byte of the connection otherwise."""
    old = leaving.transport.fileno()
    leaving.transport.wait_readable(0.001)
    assert old in watched_descriptors()
    leaving.transport.detach()
    assert old not in watched_descriptors()
    leaving.transport.wait_readable(0.001)
    assert leaving.transport.fileno() in watched_descriptors()


def test_close_gives_the_descriptor_back(leaving):
    leaving.transport.detach()
    own = leaving.transport.fileno()
    leaving.transport.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(own)
    assert leaving.peer.recv(100) == b""


def test_children_do_not_inherit_the_connection(leaving):
    leaving.transport.detach()
    assert not os.get_inheritable(leaving.transport.fileno())


def test_a_view_may_select_on_its_descriptor(leaving):
    leaving.transport.detach()
    assert leaving.transport.fileno() < detach.ABOVE_SELECT


@pytest.mark.parametrize("leaving", ["threads", "gevent", "eventlet"], indirect=True)
def test_low_descriptors_are_left_to_those_who_select(leaving):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= detach.ABOVE_SELECT:
        pytest.skip(f"this process may open {soft} files only")
    leaving.transport.detach(detach.ABOVE_SELECT)
    assert leaving.transport.fileno() >= detach.ABOVE_SELECT


def test_a_process_that_may_open_few_files_uses_low_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 900), hard))
    try:
        with socket.socket() as sock:
            copy = detach.duplicate(sock.fileno(), detach.ABOVE_SELECT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.close(copy)
    assert copy < 900


def test_every_process_has_its_own_dead_socket():
    ours, peer = socket.socketpair()
    with ours, peer:
        detach.replace_by_dead(ours.fileno())
        assert ours.recv(10) == b""
        dead = descriptors.dead_sockets[os.getpid()]
        descriptors.dead_sockets.clear()
        descriptors.dead_sockets[-1] = dead  # as a fork finds it
        detach.replace_by_dead(ours.fileno())
        assert descriptors.dead_sockets[os.getpid()] is not dead
        assert ours.recv(10) == b""
