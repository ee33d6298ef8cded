"""A gunicorn worker ends under a thousand handlers' sockets: every client is told, none hangs."""

import selectors
import signal
import socket
import struct
import time
from contextlib import suppress
from itertools import pairwise

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
#: Of which some seconds are left for the end (ending.RESERVE, gunicorn_worker.MARGIN).
HURRY, LEFT = ("--graceful-timeout", "6"), 2.5


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


def wait_until_told(sockets):
    """When each Close has come, as the system says: who asks may be late."""
    with selectors.DefaultSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        deadline = time.monotonic() + 30
        while selector.get_map():
            assert time.monotonic() < deadline, f"{len(selector.get_map())} clients hang"
            for key, _ in selector.select(0.5):
                selector.unregister(key.fileobj)
    return [time.monotonic() - since_last_data(sock) for sock in sockets]


def since_last_data(sock):
    """Seconds: tcpi_last_data_recv of Linux's struct tcp_info."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
    return struct.unpack_from("I", info, 52)[0] / 1000


def check_spread(times, seconds):
    """They are not told in an instant, nor in the order in which they have come. A machine that
    stands still for a while has some of them told together.
    """
    parts = {int((one - min(times)) / seconds * 10) for one in times}
    assert len(parts) >= 4, sorted(times)
    earlier = sum(one > other for one, other in pairwise(times))
    assert len(times) / 5 < earlier < len(times) * 4 / 5


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

    def start(row, **settings):
        servers.append(start_server(row, {**SETTINGS, **settings}, measured=False))
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
    """Clients are told one after the other; within what gunicorn allows, though it be less."""
    if worker == "sync":
        server, seconds = run(make_row(worker, *HURRY), WEBSOCKET_DRAIN=30), LEFT
    else:
        server, seconds = run(make_row(worker), WEBSOCKET_DRAIN=2), 2
    sockets = open_sockets(server, FEW)
    check_all_echo(sockets)
    server.signal(signal.SIGHUP)
    check_spread(wait_until_told(sockets), seconds)
    check_goodbyes(sockets, 1012)  # there are others in its place
    assert fetch_page(server).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("worker", WORKERS)
def test_max_requests(run, worker):
    server = run(make_row(worker, "--max-requests", str(FEW)))
    sockets = open_sockets(server, FEW)
    fetch_page(server)  # should the last handshake not have been enough
    check_goodbyes(sockets, 1012)
    assert fetch_page(server).startswith(b"HTTP/1.1 200")
