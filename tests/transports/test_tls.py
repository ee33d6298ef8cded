"""What only TLS does: records that come in parts, its own end, and calls that cross."""

import gc
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest

from dwebsocket.transports import (
    create_transport,
    find_library,
    find_transport_class,
    poll,
    tls,
)

from .key_updates import build_updates, needs_key_updates, open_client
from .pairs import TIMEOUT, Pair, connect, in_thread, make_context, make_pair, wrap_plain
from .test_receiving import count_unread
from .test_watching import Watcher

KINDS = ["threads-tls", "gevent-tls", "eventlet-tls"]

RECORD = 16384

#: OpenSSL 3 refuses it otherwise, and earlier ones know no such option.
ALLOW_CLIENT_RENEGOTIATION = 0x100

OPENSSL = shutil.which("openssl")


@pytest.fixture(params=KINDS)
def attached(request, certificates):
    made = make_pair(request.param, certificates)
    yield made
    made.close()


@pytest.fixture
def pair(attached):
    attached.server_socket = attached.transport.sock
    attached.transport.detach()
    return attached


@pytest.fixture
def watcher(pair):
    made = Watcher(pair)
    pair.transport.watch(made)
    yield made
    pair.transport.unwatch()


# Records


@pytest.fixture
def begun(attached):
    """Of one record the server has read a part, before the connection left."""
    attached.peer.sendall(b"request" + b"x" * 10_000)
    server = attached.transport.sock
    found = []

    def read():
        try:
            found.append(server.recv(7))
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        return found

    attached.finish(read)
    assert found == [b"request"]
    attached.transport.detach()
    return attached


def test_the_rest_of_a_record_is_told(begun):
    """Though the descriptor is never readable again."""
    watcher = Watcher(begun)
    begun.transport.watch(watcher)
    begun.finish(lambda: len(watcher.found) == 10_000)
    begun.transport.unwatch()


def test_the_rest_of_a_record_is_received(begun):
    assert begun.transport.has_unread()
    assert begun.receive_all(10_000) == b"x" * 10_000
    assert not begun.transport.has_unread()


def test_a_record_that_comes_byte_by_byte(pair, watcher):
    """It is nothing until it is whole, and nobody turns round and round meanwhile."""
    calls = []
    told = watcher.on_readable
    watcher.on_readable = lambda: calls.append(True) or told()
    for byte in capture(pair.peer, b"slow"):
        assert watcher.found == b""
        socket.socket.send(pair.peer, bytes([byte]))
        pair.finish(lambda: not poll.wait_readable(pair.transport.fileno(), 0))
    pair.finish(lambda: watcher.found == b"slow")
    assert len(calls) < 200


def capture(peer, data):
    """The bytes on the wire, which are not sent: what the peer writes goes through a pipe first."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        saved = os.dup(peer.fileno())
        os.dup2(theirs.fileno(), peer.fileno())
        peer.sendall(data)
        os.dup2(saved, peer.fileno())
        os.close(saved)
        return ours.recv(1 << 16)


def test_many_full_records_come_in_one_read(pair):
    pair.peer.sendall(b"x" * 4 * RECORD)
    counts = []
    deadline = time.monotonic() + TIMEOUT
    pair.finish(lambda: count_unread(pair) > 4 * RECORD)
    while sum(counts) < 4 * RECORD:
        counts.append(pair.transport.receive(deadline)[1])
    assert max(counts) > RECORD


def test_what_a_full_socket_has_taken_is_told(pair):
    """A slow reader that reads is not taken for one that does not."""
    data = os.urandom(8_000_000)
    sent = pair.transport.try_send(data)
    assert 0 < sent < len(data)
    assert sent % RECORD == 0
    assert pair.transport.try_send(data[sent:]) == 0
    found = bytearray()

    def read():
        while len(found) < len(data) + 4:
            found.extend(pair.peer.recv(1 << 16))

    reader = in_thread(read)
    pair.transport.send(data[sent:] + b"more", time.monotonic() + TIMEOUT)
    reader.join(TIMEOUT)
    assert found == data + b"more"


# The end


def test_the_peer_is_told_of_the_end(pair):
    pair.peer.suppress_ragged_eofs = False
    pair.transport.send(b"last", time.monotonic() + TIMEOUT)
    pair.transport.shutdown()
    assert pair.peer.recv(10) == b"last"
    assert pair.peer.recv(10) == b""


def test_the_end_says_nothing_in_the_clear(pair):
    pair.transport.shutdown_writing()
    with pytest.raises(BrokenPipeError):
        pair.transport.try_send(b"secret")
    assert pair.peer.recv(10) == b""


# The server's object


def test_the_server_does_not_reach_it(pair):
    server = pair.server_socket
    assert server.recv(10) == b""
    assert server.recv_into(bytearray(10)) == 0
    for write in (server.send, server.sendall):
        with pytest.raises(BrokenPipeError):
            write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    server.setblocking(True)
    server.settimeout(5)
    for end in (lambda: server.shutdown(socket.SHUT_RDWR), server.close):
        try:
            end()
        except OSError:  # a dead socket is connected to nobody
            pass
    pair.peer.sendall(b"question")
    assert pair.receive_all(8) == b"question"
    pair.transport.send(b"answer", time.monotonic() + TIMEOUT)
    assert pair.peer.recv(10) == b"answer"


def test_its_library_is_known(pair):
    server = pair.server_socket
    library = {"threads": "ssl"}.get(pair.kind.partition("-")[0], pair.kind.partition("-")[0])
    assert find_library(server) == library
    assert find_transport_class(server) is type(pair.transport)


def test_a_number_that_somebody_else_has_is_not_closed(pair):
    fd = pair.transport.fileno()
    pair.transport.shutdown()
    pair.transport.close()
    others = [os.open(os.devnull, os.O_RDONLY)]
    while others[-1] < fd:
        others.append(os.dup(others[0]))
    assert fd in others
    pair.transport.close()
    pair.server_socket.close()
    del pair.server_socket
    gc.collect()
    for other in others:
        os.close(other)


# Calls that cross: by a client that can do that


@contextmanager
def program(kind, certificates, *options):
    """A transport whose peer is openssl s_client; what stands alone in a line commands it."""
    context = make_context(kind, certificates)
    context.options |= ALLOW_CLIENT_RENEGOTIATION
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = subprocess.Popen(
            [OPENSSL, "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        listener.settimeout(TIMEOUT)
        server, _ = listener.accept()
    made = None
    try:
        server = context.wrap_socket(wrap_plain(kind, server), server_side=True)
        made = Pair(create_transport(server), peer, kind)
        made.transport.detach()
        yield made
    finally:
        peer.kill()
        peer.communicate()
        if made is not None:
            made.transport.sock.close()


def say(pair, line):
    pair.peer.stdin.write(line)
    pair.peer.stdin.flush()


def read_until(pair, line):
    while line not in (found := pair.peer.stdout.readline()):
        assert found, "the client ended"


needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@needs_openssl
@pytest.mark.parametrize("kind", KINDS)
def test_new_keys(certificates, kind):
    with program(kind, certificates, "-tls1_3") as pair:
        for number in range(3):
            say(pair, b"K\n")
            pair.finish(lambda: pair.transport.wait_readable(0))  # a command is read alone
            assert pair.transport.try_receive() is None
            say(pair, b"data %d\n" % number)
            assert pair.receive_all(7) == b"data %d\n" % number
            pair.transport.send(b"answer %d\n" % number, time.monotonic() + TIMEOUT)
            read_until(pair, b"answer %d\n" % number)


@contextmanager
def renegotiating(kind, certificates):
    """A client that begins anew, and is stopped before it says all that it has to."""
    with program(kind, certificates, "-tls1_2") as pair:
        say(pair, b"R\n")
        pair.finish(lambda: pair.transport.wait_readable(0))
        pair.peer.send_signal(signal.SIGSTOP)
        assert pair.transport.try_receive() is None
        yield pair


@needs_openssl
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_waits_for_the_peer(certificates, kind):
    with renegotiating(kind, certificates) as pair:
        if pair.transport.try_send(b"answer\n"):
            pytest.skip("this OpenSSL does not begin anew")
        assert pair.transport.wait_writable(0) is True
        with pytest.raises(TimeoutError):  # and does not turn round and round meanwhile
            pair.transport.send(b"answer\n", time.monotonic() + 0.05)
        pair.peer.send_signal(signal.SIGCONT)
        pair.transport.send(b"answer\n", time.monotonic() + TIMEOUT)
        read_until(pair, b"answer\n")
        say(pair, b"data\n")
        assert pair.receive_all(5) == b"data\n"


class Flushing(Watcher):
    """Sends when it is told that it can, as whoever keeps frames for a slow reader."""

    def __init__(self, pair, rest):
        super().__init__(pair)
        self.rest = rest

    def on_writable(self):
        super().on_writable()
        transport = self.pair.transport
        self.rest = self.rest[transport.try_send(self.rest) :]
        if not self.rest:
            transport.set_interest(reading=True, writing=False)


@needs_openssl
@pytest.mark.parametrize("kind", KINDS)
def test_a_watched_write_that_waits_for_the_peer(certificates, kind):
    with renegotiating(kind, certificates) as pair:
        transport = pair.transport
        if transport.try_send(b"answer\n"):
            pytest.skip("this OpenSSL does not begin anew")
        watcher = Flushing(pair, b"answer\n")
        transport.watch(watcher, reading=False, writing=True)
        transport.sleep(0.05)
        assert watcher.writable < 3
        pair.peer.send_signal(signal.SIGCONT)
        pair.finish(lambda: not watcher.rest)
        read_until(pair, b"answer\n")
        say(pair, b"data\n")
        pair.finish(lambda: watcher.found == b"data\n")
        transport.unwatch()


def send_while_possible(peer, data):
    with suppress(OSError):
        peer.sendall(data)


@needs_key_updates
def test_who_changes_keys_all_the_time_holds_nobody_else(certificates, monkeypatch):
    """A call to read goes on for as long as there are new keys: who has to send ends that."""
    monkeypatch.setattr(tls, "MAX_CALL", 0.005)
    server, peer = connect()
    found = []
    client = in_thread(lambda: found.extend(open_client(peer, certificates.client_context)))
    server = make_context("threads-tls", certificates).wrap_socket(server, server_side=True)
    client.join(TIMEOUT)
    updates = build_updates(*found, 8000)
    pair = Pair(create_transport(server), peer, "threads-tls")
    transport = pair.transport
    transport.detach()
    watcher = Watcher(pair)
    transport.watch(watcher)
    in_thread(send_while_possible, peer, updates)
    pair.finish(lambda: transport._lock.locked())
    with pytest.raises(TimeoutError, match="keeps TLS busy"):
        transport.try_send(b"answer")
    pair.finish(lambda: watcher.ends)
    transport.close()
    pair.close()
