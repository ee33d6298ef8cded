"""Sessions on one server with few threads, and what happens to their connections."""

from itertools import count

import pytest

from ..contract.conftest import pytest_collection_modifyitems
from ..engine_client import EngineClient
from ..servers.rows import ROWS

__all__ = ["pytest_collection_modifyitems"]

SETTINGS = {
    "WEBSOCKET_MAX_SEND_BUFFER": 1 << 18,
    "WEBSOCKET_MAX_MESSAGE_SIZE": 1 << 18,
    "DEBUG": False,
}
#: No heartbeat comes before what a test waits for, and no session ends, however busy the machine.
PATIENT = {
    **SETTINGS,
    "WEBSOCKET_PING_INTERVAL": 60,
    "WEBSOCKET_PING_TIMEOUT": 60,
    "WEBSOCKET_RESUME_TIMEOUT": 60,
}
#: Sessions whose clients are silent, or away, soon end.
HASTY = {
    **SETTINGS,
    "WEBSOCKET_PING_INTERVAL": 2,
    "WEBSOCKET_PING_TIMEOUT": 2,
    "WEBSOCKET_RESUME_TIMEOUT": 2,
}


def run(start_server, settings):
    process = start_server(next(row for row in ROWS if row.name == "gunicorn-gthread"), settings)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


@pytest.fixture(scope="session")
def patient_server(start_server):
    yield from run(start_server, PATIENT)


@pytest.fixture(scope="session")
def hasty_server(start_server):
    yield from run(start_server, HASTY)


@pytest.fixture
def server(patient_server):
    """The one that a test talks to unless it names another."""
    return patient_server


cases = count(1)


@pytest.fixture
def new_engine(server):
    """A client of a path of the server, under which its views report."""
    clients = []

    def create(path, **options):
        case = f"engineio-{next(cases)}"
        clients.append(EngineClient(server, f"{path}?case={case}", **options))
        clients[-1].case = case
        return clients[-1]

    yield create
    for client in clients:
        client.hang_up()
