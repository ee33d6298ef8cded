"""A gunicorn worker ends under a thousand handlers' sockets: every client is told, none hangs."""

import selectors
import signal
import socket
import struct
import time
from contextlib import suppress

import pytest

from ..raw_client import TEXT, build_frame, build_request
from ..servers.rows import GUNICORN, Row

COUNT = 1000
#: No Ping comes before the echo, however long a busy machine takes to open them all.
SETTINGS = {"WEBSOCKET_DRAIN": 1, "WEBSOCKET_PING_INTERVAL": None}
#: Where a worker ends in the way of test_sigterm, for another reason.
FEW = 200
WORKERS = {
    "sync": (),
    "gthread": ("--threads", "2"),
    "gevent": (),
}


#: A busy machine takes its time for so many.
PATIENCE = ("--graceful-timeout", "40")


def make_row(worker, *options):
    return Row(
        f"gunicorn-{worker}-ends",
        (*GUNICORN, *PATIENCE, "--worker-class", worker, *WORKERS[worker], *options),
        package="gunicorn",
    )


def open_sockets(server, count):
    sockets = []
    for _ in range(count):
        sock = socket.create_connection((server.host, server.port), 30)
        sock.sendall(build_request("/handler/echo/", f"{server.host}:{server.port}"))
        head = byte = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = sock.recv(1)  # no more: a worker that ends may have closed at once
            assert byte, head
            head += byte
        assert head.startswith(b"HTTP/1.1 101"), head
        sockets.append(sock)
    return sockets


def check_all_echo(sockets):
    for sock in sockets:
        sock.sendall(build_frame(TEXT, "hello"))
    for sock in sockets:
        assert sock.recv(7, socket.MSG_WAITALL) == b"\x81\x05hello"


def read_goodbyes(sockets, timeout):
    """What each client received until the end of its connection."""
    received = dict.fromkeys(sockets, b"")
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        while selector.get_map():
            left = len(selector.get_map())
            assert time.monotonic() < deadline, f"{left} clients hang"
            for key, _ in selector.select(0.5):
                try:
                    data = key.fileobj.recv(1000)
                except ConnectionResetError:
                    data = b""
                received[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    return list(received.values())


def check_goodbyes(sockets, code=1001):
    for received in read_goodbyes(sockets, timeout=40):
        assert received == b"\x88\x02" + struct.pack("!H", code)


def fetch_page(server):
    """The page, from whichever worker; one that ends may drop what it has just accepted."""
    deadline = time.monotonic() + 30
    while True:
        # The next one may still be starting: what has been sent waits for it.
        with (
            suppress(ConnectionError),
            socket.create_connection((server.host, server.port), 30) as sock,
        ):
            sock.sendall(build_request("/plain/", "localhost", websocket=False))
            if answer := sock.recv(1000):
                return answer
        assert time.monotonic() < deadline, "no worker answers"


@pytest.fixture
def run(start_server):
    servers = []

    def start(row):
        servers.append(start_server(row, SETTINGS, measured=False))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
        assert not server.log.find_faults(), server.log.text()


@pytest.mark.parametrize("worker", WORKERS)
def test_sigterm(run, worker):
    server = run(make_row(worker))
    sockets = open_sockets(server, COUNT)
    check_all_echo(sockets)
    server.terminate()
    check_goodbyes(sockets)
    server.wait(timeout=45)


@pytest.mark.parametrize("worker", WORKERS)
def test_reload(run, worker):
    server = run(make_row(worker))
    sockets = open_sockets(server, FEW)
    check_all_echo(sockets)
    server.signal(signal.SIGHUP)
    check_goodbyes(sockets, 1012)  # there are others in its place
    assert fetch_page(server).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("worker", WORKERS)
def test_max_requests(run, worker):
    server = run(make_row(worker, "--max-requests", str(FEW)))
    sockets = open_sockets(server, FEW)
    fetch_page(server)  # should the last handshake not have been enough
    check_goodbyes(sockets, 1012)
    assert fetch_page(server).startswith(b"HTTP/1.1 200")
