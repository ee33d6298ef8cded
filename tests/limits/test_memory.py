"""A process that gets no more memory goes on when those have left who took it."""

import resource
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ..raw_client import TEXT, build_frame
from ..servers.process import wait_until
from .conftest import Visitors, rows

#: What the process may still take, in bytes.
SPARE = 400 << 20
CLIENTS, BOMBS = 40, 20
MAX_MESSAGE_SIZE = 2_621_440


def build_bomb():
    encoder = zlib.compressobj(level=9, wbits=-15)
    data = encoder.compress(b"x" * MAX_MESSAGE_SIZE) + encoder.flush(zlib.Z_SYNC_FLUSH)
    return build_frame(TEXT, data, rsv=4)


BOMB = build_bomb()


@pytest.fixture
def server(row, start_server):
    process = start_server(row, {})
    yield process
    process.kill()


def limit_memory(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + SPARE
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))


@rows("gunicorn-gthread", "gevent-pywsgi", "uwsgi-threads")
@pytest.mark.parametrize("path", ["/handler/echo/", "/echo/"])
def test_small_bombs(server, case, journal, path):
    visitors = Visitors(server, case)
    for known in ("/handler/echo/", "/echo/"):
        visitors.open(known)
    limit_memory(journal.wait(case, "started")["pid"])

    def attack(number):
        with suppress(OSError, EOFError, AssertionError):
            client = visitors.connect()
            headers = {"Sec-WebSocket-Extensions": "permessage-deflate"}
            client.send_request(f"{path}?case={case}-attack", headers=headers)
            client.send_bytes(BOMB * BOMBS)
            client.read_response()
            client.read_frame()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(attack, range(CLIENTS)))
    visitors.leave()
    for _ in range(3):
        for known in ("/handler/echo/", "/echo/"):
            wait_until(lambda known=known: works(visitors, known), f"{known} works", timeout=60)


def works(visitors, path):
    """Whether there is memory for it. There is none, at some point of it, as long as the server is
    busy with those who have left.
    """
    with suppress(OSError, EOFError, AssertionError):  # no answer (TimeoutError), 503, or 1011
        visitors.open(path)
        return True
    return False
