"""The end of ASGI servers whose connections we have taken: a reload, a worker that has served its
requests, SIGTERM. Every client is told, and no task is left behind.
"""

import os
import select
import signal
import socket
import time
from contextlib import suppress
from itertools import cycle, islice

import pytest

from ..raw_client import build_request
from ..servers.rows import GUNICORN_ASGI, HYPERCORN, Row
from .test_asgi_ends import open_all
from .test_gunicorn_ends import read_goodbyes

CROWD = int(os.environ.get("DWEBSOCKET_TEST_CROWD", "20"))

#: Where a socket serves, and where the server's loop does.
PATHS = ["/handler/echo/", "/echo/", "/async/echo/", "/async/handler/echo/"]
APPLICATION = "tests.project.asgi:application"

#: In HTTP requests; hypercorn counts WebSockets, too.
MAX_REQUESTS = 2 * CROWD + 20

#: The codes at a reload, when a worker has served its requests, at SIGTERM: hypercorn does not say
#: that it reloads.
SERVERS = {
    "gunicorn": (GUNICORN_ASGI, (1012, 1012, 1001)),
    "hypercorn": (HYPERCORN, (1001, 1012, 1001)),
}

#: Seconds: without us it takes those that the row has for its requests.
IN_TIME = 5


@pytest.mark.parametrize("name", SERVERS)
def test_every_client_is_told(start_server, name):
    arguments, codes = SERVERS[name]
    options = ("--max-requests", str(MAX_REQUESTS), APPLICATION)
    row = Row(f"{name}-goodbyes", ("-m", *arguments, *options), package=name)
    settings = {"WEBSOCKET_DRAIN": 0.2, "WEBSOCKET_PING_INTERVAL": None}
    server = start_server(row, settings, measured=False)
    try:
        reload, max_requests, end = codes
        sockets = open_crowd(server)
        server.signal(signal.SIGHUP)
        check_told(sockets, reload)
        sockets = open_crowd(server)
        while not select.select(sockets[:1], [], [], 0)[0]:
            fetch_page(server)
        check_told(sockets, max_requests)
        sockets = open_crowd(server)
        started = time.monotonic()
        server.terminate()
        check_told(sockets, end)
        server.wait(timeout=IN_TIME + 10)
        assert time.monotonic() - started < IN_TIME
        server.log.join()
        assert not server.log.find_faults(), server.log.text()
    finally:
        server.kill()


def open_crowd(server):
    return open_all(server, islice(cycle(PATHS), CROWD), "goodbyes")


def fetch_page(server):
    """To its end: Django logs an error where a client has left before."""
    request = build_request(
        "/plain/", "localhost", websocket=False, headers={"Connection": "close"}
    )
    with (
        suppress(ConnectionError),
        socket.create_connection((server.host, server.port), 30) as sock,
    ):
        sock.sendall(request)
        while sock.recv(1000):
            pass


def check_told(sockets, code):
    answers = read_goodbyes(sockets, timeout=30)
    assert set(answers) == {b"\x88\x02" + code.to_bytes(2, "big")}
