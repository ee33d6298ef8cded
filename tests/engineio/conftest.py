"""Sessions on one server with few threads, and what happens to their connections."""

from contextlib import contextmanager
from itertools import count

import pytest

from ..engine_client import EngineClient
from ..servers.rows import ROWS

#: On a busy machine a client may take seconds from one request to the next: nobody takes it for
#: gone, and no heartbeat answers its polls.
SETTINGS = {
    "WEBSOCKET_PING_INTERVAL": 30,
    "WEBSOCKET_PING_TIMEOUT": 30,
    "WEBSOCKET_RESUME_TIMEOUT": 30,
    "WEBSOCKET_MAX_SEND_BUFFER": 1 << 18,
    "WEBSOCKET_MAX_MESSAGE_SIZE": 1 << 18,
    "DEBUG": False,
}

#: The same where clients are given up soon.
IMPATIENT = {
    **SETTINGS,
    "WEBSOCKET_PING_INTERVAL": 2,
    "WEBSOCKET_PING_TIMEOUT": 2,
    "WEBSOCKET_RESUME_TIMEOUT": 2,
}


@pytest.fixture(scope="session")
def server(start_server):
    with running(start_server, SETTINGS) as process:
        yield process


@pytest.fixture(scope="session")
def impatient_server(start_server):
    with running(start_server, IMPATIENT) as process:
        yield process


@contextmanager
def running(start_server, settings):
    row = next(row for row in ROWS if row.name == "gunicorn-gthread")
    process = start_server(row, settings)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


cases = count(1)


@pytest.fixture
def new_engine(server):
    """A client of a path of the server, under which its views report."""
    with engines(server) as create:
        yield create


@pytest.fixture
def new_impatient_engine(impatient_server):
    with engines(impatient_server) as create:
        yield create


@contextmanager
def engines(server):
    clients = []

    def create(path, **options):
        case = f"engineio-{next(cases)}"
        clients.append(EngineClient(server, f"{path}?case={case}", **options))
        clients[-1].case = case
        return clients[-1]

    yield create
    for client in clients:
        client.hang_up()


@pytest.fixture
def gate(tmp_path):
    """A file that is not there yet: Held is at work until a test touches it."""
    path = tmp_path / "gate"
    yield path
    path.touch()
