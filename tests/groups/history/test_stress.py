"""Pages that break and come back while others send: each has all, once and in order, or is told
that it has not.

Here forty pages for three seconds; with DWEBSOCKET_TEST_STRESS=60 a hundred for sixty, under two
hundred messages a second.
"""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ...raw_client import RawClient
from ...servers.process import list_children, wait_until
from ..peers import patient
from ..test_processes import row_of_workers
from .stress import Stress

FULL = os.environ.get("DWEBSOCKET_TEST_STRESS")
SECONDS, PAGES, RATE = (float(FULL), 100, 200) if FULL else (3.0, 40, 100)
WORKERS = 4
MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}
MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}

#: With the number of workers: one process's memory is no other's.
BACKENDS = {"memory": (MEMORY, 1), "machine": (MACHINE, WORKERS), "redis": (None, WORKERS)}


@pytest.fixture(params=BACKENDS, scope="module")
def server(request, start_server):
    setting, workers = BACKENDS[request.param]
    setting = setting or patient(request.getfixturevalue("redis_server").setting)
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
    """Of a history that is too short nothing is missing that is not told."""
    stress = Stress([server], SECONDS, pages=PAGES, rate=RATE)
    short = Stress([server], SECONDS, pages=PAGES // 4, rate=RATE / 4, rule="size=2")
    run_together(stress, short)
    check(stress)
    check(short)
    assert all(page.got for page in stress.pages)
    assert sum(page.told for page in stress.pages) == 0


def run_together(*stresses):
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(stress.run) for stress in stresses]:
            done.result()


@pytest.mark.parametrize("server", ["machine", "redis"], indirect=True)
def test_workers_that_are_killed_meanwhile(server):
    """What they have not passed on yet is found by the others."""
    stress = Stress([server], SECONDS, pages=20, rate=RATE)
    stop, killed = threading.Event(), []

    def kill():
        sent = 0
        while not stop.wait(0.5):
            workers = list_children(server.pid)
            if len(workers) == WORKERS and stress.sent > sent:  # they have had time to begin
                sent = stress.sent
                os.kill(workers[0], signal.SIGKILL)
                killed.append(workers[0])

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        stress.run()
    finally:
        stop.set()
        killer.join(10)
    check(stress)
    assert killed
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
