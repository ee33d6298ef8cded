"""Many connections in four processes are listed in two seconds.

DWEBSOCKET_TEST_CONNECTED=20000 opens so many; the suite has fewer.
"""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from dwebsocket import connections

from ..asking import MACHINE, among
from ..servers.process import ROOT
from .conftest import NO_PINGS, Workers, row_of_workers

COUNT = int(os.environ.get("DWEBSOCKET_TEST_CONNECTED", "1000"))
WORKERS = 4

#: Clients of one process, which may open no more descriptors.
CROWD = 5000

SECONDS = 2.0
BUSY = 15.0  # what a machine that does much else may take


def start_crowd(port, count):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.connections.crowd", str(port), str(count)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def server(start_server):
    row = row_of_workers("gunicorn-gthread", WORKERS)
    settings = {"WEBSOCKET_GROUPS": MACHINE, "WEBSOCKET_MAX_CONNECTIONS": COUNT, **NO_PINGS}
    server = start_server(row, settings)
    yield server
    server.kill()


@pytest.mark.timeout(600)
def test_all_of_many_are_listed_soon(server):
    with ExitStack() as stack:
        crowds = []
        for start in range(0, COUNT, CROWD):
            crowd = stack.enter_context(start_crowd(server.port, min(CROWD, COUNT - start)))
            stack.callback(crowd.kill)
            crowds.append(crowd)
        for crowd in crowds:
            assert crowd.stdout.readline() == "READY\n"
        with among(server):
            begun = time.monotonic()
            found = connections.list(timeout=BUSY)
            seconds = time.monotonic() - begun
            assert len(found) == COUNT
            assert not found.silent
            assert len({one.id for one in found}) == COUNT
            print(f"{COUNT} connections in {seconds:.2f} s")
            assert seconds < (SECONDS if COUNT >= 20_000 else BUSY)
            table = Workers(server, MACHINE).run(timeout=BUSY)
            assert len(table.splitlines()) == COUNT + 1
            assert connections.close(path="/handler/*", timeout=10) == COUNT
