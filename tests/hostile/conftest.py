"""What an attacker sends, on real servers: each with the answer and the bound that it must keep.

After each case the server must serve a fresh client, hold no descriptor of the attacker's, and have
nothing in its log that an administrator would have to look into.

DWEBSOCKET_TEST_ROWS="cheroot" runs that row alone, as in tests/contract.
"""

import json
import os
import secrets
from pathlib import Path

import pytest

from ..contract.conftest import (
    address,
    case,
    new_client,
    open_websocket,
    run,
)
from ..raw_client import TEXT, Frame, RawClient
from ..servers.process import count_descriptors, wait_for_descriptors, wait_until
from ..servers.rows import ROWS
from .measure import MIB, Meter

__all__ = ["address", "case", "new_client", "open_websocket"]

# Greenlets, threads whose views leave the server, threads whose views stay in it, an event loop.
USUAL_ROWS = "gevent-pywsgi,gunicorn-gthread,runserver,uvicorn"

# Everything else, above all WEBSOCKET_MAX_MESSAGE_SIZE, is the default.
SETTINGS = {
    "WEBSOCKET_PING_INTERVAL": 0.5,
    "WEBSOCKET_PING_TIMEOUT": 3,  # a client of many may be busy with the others
    "WEBSOCKET_SEND_TIMEOUT": 1,
    "WEBSOCKET_CLOSE_TIMEOUT": 0.5,
}

# What was freed goes back to the system: otherwise each arena of a thread keeps some MiB for later,
# and how many arenas there are depends on the machine (mallopt(3)).
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(128 << 10)}


def pytest_generate_tests(metafunc):
    if "row" in metafunc.fixturenames:
        wanted = os.environ.get("DWEBSOCKET_TEST_ROWS", USUAL_ROWS).split(",")
        rows = [row for row in ROWS if row.name in wanted and row.concurrent]
        metafunc.parametrize("row", rows, ids=[row.name for row in rows], scope="session")


@pytest.fixture(scope="session")
def server(row, start_server, journal):
    # Time and memory are measured here: tracing every line for coverage would be measured, too.
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        for name, value in MALLOC.items():
            patch.setenv(name, value)
        process = run(start_server, row, SETTINGS)
    yield process
    process.stop()


@pytest.fixture(scope="session")
def worker(server, row, journal):
    """The process identifier of the process that runs the views."""
    name = f"{row.name}:warm-up-{secrets.token_hex(4)}"  # a row may be started again
    talk(server, name)
    talk(server, name + "-handler", "/handler/echo/")  # which makes the loop of the process
    member = f"/group/handler/{name.rpartition(':')[2]}/"  # and what processes speak through
    talk(server, name + "-member", member, json.dumps(["send", "hello"]), b"member 1")
    return journal.wait(name, "started")["pid"]


@pytest.fixture(scope="session")
def processes(row, server, worker):
    """That one and, where another process holds the sockets, that one."""
    return [worker] if row.pages else [worker, find_child(server.pid, "--front")]


def find_child(pid, argument):
    """The process that another one has started with this argument."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (found,) = [
        child for child in children if argument in Path(f"/proc/{child}/cmdline").read_text()
    ]
    return int(found)


def talk(server, case, address="/echo/", message="hello", greeting=None):
    """A well-behaved client's whole conversation."""
    client = RawClient(server)
    client.open(f"{address}?case={case}")
    if greeting is not None:
        assert client.read_past_pings(timeout=60) == Frame(TEXT, greeting)
    client.send_text(message)
    # A server that is busy with an attack may ask whether we are still there, before it answers.
    assert client.read_past_pings(timeout=60) == Frame(TEXT, b"hello")
    client.send_close(1000)
    assert client.read_past_pings(timeout=60).close_code == 1000
    assert client.read_to_eof() == b""
    client.hang_up()


@pytest.fixture(scope="session")
def worker_meter(row, processes):
    # Where messages wait in one process until another has worked on them, the allocator keeps more
    # of what many have taken before.
    return Meter(*processes, spare=0 if row.pages else 16 * MIB)


def trim(server):
    """What earlier attacks have left behind counts, not what was freed and the process keeps."""
    client = RawClient(server)
    client.send_request("/trim/", websocket=False, headers={"Connection": "close"})
    assert client.read_response().body == b"trimmed"
    client.read_to_eof()
    client.hang_up()


@pytest.fixture
def meter(row, server, worker_meter, record_property):
    if row.pages:
        trim(server)
    worker_meter.record = record_property
    return worker_meter


@pytest.fixture(autouse=True)
def server_survives(request):
    """Used by every case that has a server: see the top of this file."""
    if "row" not in request.fixturenames:
        yield
        return
    server, processes, journal, case = map(
        request.getfixturevalue, ("server", "processes", "journal", "case")
    )
    mark, before = server.log.mark(), [count_descriptors(process) for process in processes]
    yield  # set up before new_client: the case's clients have hung up when it goes on
    talk(server, case + "-afterwards")
    assert not journal.events(case, "smuggled"), "bytes of a WebSocket were served as a request"
    # Compared again and again: a client may have left before its view was heard of.
    wait_until(
        lambda: len(journal.events(case, "ended")) == len(journal.events(case, "started")),
        "all views have ended",
        timeout=60,
    )
    for process, count in zip(processes, before, strict=True):
        wait_for_descriptors(process, count, timeout=60)
    # A bad Host is Django's to refuse, and Django logs it with its traceback.
    faults = [fault for fault in server.log.find_faults(mark) if "DisallowedHost" not in fault]
    assert not faults, "\n".join([*faults, "--- log:", server.log.text(mark)])
