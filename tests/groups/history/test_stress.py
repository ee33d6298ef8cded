"""Pages that break and come back while others send: each has all, once and in order, or is told
that it has not.

Here forty pages for ten seconds; with DWEBSOCKET_TEST_STRESS=60 a hundred for sixty, under two
hundred messages a second.
"""

import json
import os
import signal
import threading
import time
from contextlib import suppress

import pytest

from ...raw_client import RawClient
from ...servers.process import list_children, wait_until
from ..test_processes import row_of_workers
from .stress import Stress

FULL = os.environ.get("DWEBSOCKET_TEST_STRESS")
SECONDS, PAGES, RATE = (float(FULL), 100, 200) if FULL else (10.0, 40, 100)
WORKERS = 4
MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}
MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}

#: With the number of workers: one process's memory is no other's.
BACKENDS = {"memory": (MEMORY, 1), "machine": (MACHINE, WORKERS)}


@pytest.fixture(params=BACKENDS)
def server(request, start_server):
    setting, workers = BACKENDS[request.param]
    row = row_of_workers("gunicorn-gthread", workers)
    server = start_server(row, {"WEBSOCKET_GROUPS": setting, "WEBSOCKET_PING_INTERVAL": None})
    yield server
    server.stop()
    assert not server.log.find_faults(), server.log.text()


def check(stress):
    assert stress.faults == []
    assert stress.sent
    assert sum(page.breaks for page in stress.pages) >= len(stress.pages)


def test_nothing_is_lost_doubled_or_out_of_order(server):
    stress = Stress([server], SECONDS, pages=PAGES, rate=RATE)
    stress.run()
    check(stress)
    assert all(page.got for page in stress.pages)
    assert sum(page.told for page in stress.pages) == 0


def test_a_history_that_is_too_short(server):
    """Nothing is missing that is not told."""
    stress = Stress([server], 4, pages=20, rate=RATE, rule="size=2")
    stress.run()
    check(stress)


@pytest.mark.parametrize("server", ["machine"], indirect=True)
def test_workers_that_are_killed_meanwhile(server):
    """What they have not passed on yet is found by the others."""
    stress = Stress([server], SECONDS, pages=20, rate=RATE)
    stop = threading.Event()

    def kill():
        while not stop.wait(4):
            with suppress(ProcessLookupError, IndexError):
                os.kill(list_children(server.pid)[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        stress.run()
    finally:
        stop.set()
        killer.join(10)
    check(stress)
    assert sum(page.told for page in stress.pages) == 0


def ask(server, path):
    client = RawClient(server, timeout=20)
    try:
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        return client.read_response().body.decode()
    finally:
        client.hang_up()


def come(server, query=""):
    client = RawClient(server, timeout=20)
    client.open(f"/history/handler/restart/?case=restart&{query}")
    return client, json.loads(client.read_text())


def wait_for_other_workers(server, known):
    def changed():
        with suppress(OSError, EOFError, ValueError):
            return json.loads(ask(server, "/history/recall/other/"))["pid"] not in known
        return False

    wait_until(
        lambda: not known & set(list_children(server.pid)) and changed(), "they began anew", 60
    )


def test_all_workers_begin_anew(request, server):
    """SIGHUP: a deploy. What the machine remembers goes on; one process's memory is told to be
    gone.
    """
    keeps = request.node.callspec.params["server"] != "memory"
    ask(server, "/history/send/restart/?count=3")
    _, first = come(server)
    ask(server, "/history/send/restart/?first=3&count=2")
    known = set(list_children(server.pid))
    server.signal(signal.SIGHUP)
    wait_for_other_workers(server, known)
    end = time.monotonic() + 10
    _, again = come(server, f"since={first['position']}")
    assert again["recovered"] is keeps
    client, told = come(server, "newest=2")
    if keeps:
        assert [json.loads(client.read_text())["data"] for _ in range(2)] == ["3", "4"]
    else:
        assert told["position"].endswith(":0")
    assert time.monotonic() < end
