"""Each case of this folder runs on every server of tests/servers/rows.py that can carry it.

Rules: real processes and sockets; every wait has an absolute end; the server's log is read after
each case, and a traceback or a lost descriptor in it fails the case.

DWEBSOCKET_TEST_ROWS="runserver,cheroot" runs these rows alone, with every variant of each case;
DWEBSOCKET_TEST_VARIANTS=few with one or two, where those differ in what no server has to do with.
"""

import json
import os
from collections import Counter
from itertools import count
from typing import NamedTuple
from urllib.parse import quote

import pytest

from ..raw_client import RawClient
from ..servers.process import count_open, wait_until
from ..servers.rows import ROWS
from .choice import fits, is_spared

# The second server of a row. Its pings come often, and it soon gives up: not so soon that a client
# is late which answers and stands still for a moment, as any does on a busy machine.
TUNED = {
    "WEBSOCKET_PING_INTERVAL": 0.3,
    "WEBSOCKET_PING_TIMEOUT": 2.5,
    "WEBSOCKET_SEND_TIMEOUT": 1,
    "WEBSOCKET_MAX_SEND_BUFFER": 1 << 26,
}
# The third one. Its debug pages must not leak.
LENIENT = {
    "DEBUG": True,
    "WEBSOCKET_ACCEPT_ALL": True,
    "WEBSOCKET_CLOSE_TIMEOUT": 10,
}

MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}


def pytest_configure(config):
    config.addinivalue_line("markers", "rows(**abilities): only servers with these abilities")
    config.addinivalue_line(
        "markers",
        "elsewhere(*abilities, **parameters): the variants with these parameters (of a list any) "
        "only, but on thorough rows and on those with one of the abilities",
    )


def pytest_generate_tests(metafunc):
    if "row" not in metafunc.fixturenames:
        return
    rows = [row for row in ROWS if not row.extra]
    if wanted := os.environ.get("DWEBSOCKET_TEST_ROWS"):
        rows = [row for row in ROWS if row.name in wanted.split(",")]
    abilities = {"http2": False}
    for marker in metafunc.definition.iter_markers("rows"):
        abilities |= marker.kwargs
    rows = [row for row in rows if all(fits(getattr(row, k), v) for k, v in abilities.items())]
    metafunc.parametrize("row", rows, ids=[row.name for row in rows], scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    spared = {item for item in items if is_spared(item)}
    config.hook.pytest_deselected(items=list(spared))
    items[:] = [item for item in items if item not in spared]


def run(start_server, row, settings, *, measured=True):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    return start_server(row, settings, measured=measured)


def check_and_stop(server, journal):
    server.stop()
    assert not server.log.find_faults(), server.log.text()
    # Here again: such a request may be served after its case has looked.
    served = [event["case"] for event in journal.events(name="smuggled")]
    served = [case for case in served if case.startswith(server.row.name + ":")]
    assert not served, "bytes of a WebSocket were served as a request"
    started, ended = (
        Counter(
            event["case"]
            for event in journal.events(name=name)
            if event["case"].startswith(server.row.name + ":")
        )
        for name in ("started", "ended")
    )
    twice = {case for case in ended - started if case in started}
    assert not twice, "what began once ended more than once"


@pytest.fixture(scope="session")
def plain_server(row, start_server, journal):
    """The row's server with the settings of the test project."""
    process = run(start_server, row, {})
    yield process
    check_and_stop(process, journal)


@pytest.fixture
def server(plain_server):
    """The server that a test talks to unless it names another."""
    return plain_server


@pytest.fixture(scope="session")
def tuned_server(row, start_server, journal):
    """The row's server with the settings TUNED."""
    process = run(start_server, row, TUNED)
    yield process
    check_and_stop(process, journal)


@pytest.fixture(scope="session")
def memory_server(row, start_server, journal):
    """The row's server, whose groups reach no other process."""
    process = run(start_server, row, {"WEBSOCKET_GROUPS": MEMORY})
    yield process
    check_and_stop(process, journal)


@pytest.fixture(scope="session")
def redis_backed_server(row, start_server, journal, redis_server):
    """The row's server, whose groups reach other processes."""
    process = run(start_server, row, {"WEBSOCKET_GROUPS": redis_server.setting})
    yield process
    check_and_stop(process, journal)


@pytest.fixture(scope="session")
def lenient_server(row, start_server, journal):
    """The row's server with the settings LENIENT."""
    process = run(start_server, row, LENIENT)
    yield process
    check_and_stop(process, journal)


@pytest.fixture(scope="session")
def lenient_redis_backed_server(row, start_server, journal, redis_server):
    """Both of these."""
    process = run(start_server, row, {**LENIENT, "WEBSOCKET_GROUPS": redis_server.setting})
    yield process
    check_and_stop(process, journal)


@pytest.fixture(scope="session")
def postgresql_backed_server(row, start_server, journal, postgresql, database_path):
    """The row's server, with ways to PostgreSQL beside its usual database."""
    databases = postgresql.databases(row.name, database_path)
    settings = {"DATABASES": databases, "WEBSOCKET_CLOSE_TIMEOUT": 20}
    process = run(start_server, row, settings, measured=False)
    yield process
    check_and_stop(process, journal)


def change_settings(server, **settings):
    """Change settings of the server's process, until the next call."""
    client = RawClient(server)
    path = f"/settings/?settings={quote(json.dumps(settings))}"
    client.send_request(path, websocket=False)
    assert client.read_response().body == b"changed"
    client.hang_up()


@pytest.fixture
def patient(server, row):
    """The server waits so long for an answer to its Close that no client is late which stands still
    for a while. Named first, it is undone when the clients have hung up.
    """
    if row.pages:
        change_settings(server, WEBSOCKET_CLOSE_TIMEOUT=30)
    yield
    if row.pages:
        change_settings(server)


cases = count(1)


@pytest.fixture
def case(request, row):
    """The name under which views report to this test."""
    return f"{row.name}:{request.node.originalname}-{next(cases)}"


@pytest.fixture
def address(case):
    """address("/echo/") → "/echo/?case=…"."""

    def build(path):
        return f"{path}{'&' if '?' in path else '?'}case={case}"

    return build


class Echo(NamedTuple):
    """Where messages are echoed, and what the journal says of a good end."""

    path: str
    outcome: str


ECHOES = [Echo("/echo/", "returned"), Echo("/handler/echo/", "on_close")]


@pytest.fixture(params=ECHOES, ids=["view", "handler"])
def echo(request):
    """What holds for a view that echoes holds for a handler that does."""
    return request.param


@pytest.fixture
def new_client(request):
    """Connect to a server; the connections still open at the end of the test hang up."""
    clients = []

    def connect(server=None, **options):
        server = server or request.getfixturevalue("server")
        clients.append(RawClient(server, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.hang_up()


@pytest.fixture
def open_websocket(new_client, address):
    """Connect to a view and read the 101."""

    def connect(path, server=None, **request):
        client = new_client(server)
        client.open(address(path), **request)
        return client

    return connect


@pytest.fixture
def wait_for_release(database_path):
    """Wait until a process does not have the database open; before a test, too: what another one
    has begun may end a little later.
    """

    def wait(pid):
        wait_until(lambda: count_open(pid, database_path) == 0, "the database is released")

    return wait


@pytest.fixture(autouse=True)
def clean_log(request):
    """The log of the servers that a test used holds no fault."""
    names = ("server", "tuned_server", "lenient_server")
    servers = [request.getfixturevalue(name) for name in names if name in request.fixturenames]
    marks = [server.log.mark() for server in servers]
    yield
    for server, mark in zip(servers, marks, strict=True):
        faults = server.log.find_faults(mark)
        assert not faults, "\n".join([*faults, "--- log:", server.log.text(mark)])
