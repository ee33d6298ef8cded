"""Very many clients that poll a server of two threads: no thread waits for them."""

import os
import re
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ..engine_client import EngineClient
from ..raw_client import RawClient
from ..servers.process import list_children, wait_until
from ..servers.rows import ROWS

#: How many poll at the same time.
POLLERS = int(os.environ.get("DWEBSOCKET_TEST_POLLERS", "60"))

#: What the process may have besides: the server's, a loop's and what calls handlers.
MAX_THREADS = 12

#: Bytes of a client between two of its polls, where there are so many that they can be told.
MAX_BYTES = 12 * 1024


@pytest.fixture(scope="module")
def server(start_server):
    row = next(row for row in ROWS if row.name == "gunicorn-gthread")
    arguments = ["2" if argument == "8" else argument for argument in row.arguments]
    process = start_server(replace(row, arguments=tuple(arguments)), {})
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


class Worker:
    """What the kernel says of the process that answers."""

    def __init__(self, server):
        wait_until(lambda: list_children(server.pid), "a worker runs")
        self._status = Path(f"/proc/{list_children(server.pid)[0]}/status")

    def read(self, name):
        return int(re.search(rf"^{name}:\s+(\d+)", self._status.read_text(), re.M)[1])


def open_many(server, stack, count):
    for _ in range(count):
        client = EngineClient(server, "/handler/echo/?case=engineio-many")
        stack.callback(client.hang_up)
        client.open_polls()
        client.hang_up()
        yield client


def test_pollers(server):
    worker = Worker(server)
    with ExitStack() as stack:
        list(open_many(server, stack, POLLERS // 10))  # what comes once has come
        before = worker.read("VmRSS")
        clients = list(open_many(server, stack, POLLERS))
        each = (worker.read("VmRSS") - before) * 1024 / POLLERS
        if POLLERS >= 1000:
            assert each < MAX_BYTES
        waiting = [client.ask(sid=client.sid) for client in clients]
        for client in clients[: POLLERS // 2]:
            client.post("4hello")
        for poll in waiting[: POLLERS // 2]:
            assert poll.read_response().body == b"4hello"
        # Those that have called the handlers end; each of the others' polls is waiting.
        wait_until(lambda: worker.read("Threads") <= MAX_THREADS, "threads are few", 60)
        started = time.monotonic()
        page = RawClient(server)
        page.send_request("/plain/", websocket=False)
        assert page.read_response().status == 200
        page.hang_up()
        assert time.monotonic() - started < 5
        print(f"{each / 1024:.1f} KiB each, {worker.read('Threads')} threads")
        for client in clients:
            client.post("1")
