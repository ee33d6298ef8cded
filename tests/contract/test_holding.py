"""What middleware sets up holds for as long as the WebSocket does, and for nobody else."""

import pytest

from ..project.settings import MIDDLEWARE
from .conftest import check_and_stop, run
from .holding import ask, end

pytestmark = pytest.mark.rows(patched=True, database=True)

KINDS = [
    "thread_local",
    "local",
    "context_variable",
    "connection_attribute",
    "signal_receiver",
    "open_transaction",
    "query_wrapper",
]
PATHS = ["/holding/view/", "/holding/accepting/", "/holding/marked/"]

SETTINGS = {
    "MIDDLEWARE": [
        *MIDDLEWARE,
        "tests.project.holding.HoldingMiddleware",
        "dwebsocket.middleware.WebSocketMiddleware",
    ]
}


@pytest.fixture(scope="session")
def holding_server(row, start_server, journal):
    process = run(start_server, row, SETTINGS)
    yield process
    check_and_stop(process, journal)


@pytest.fixture
def server(holding_server):
    return holding_server


@pytest.mark.elsewhere(kind="thread_local")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_from_the_handshake_to_the_end(
    server, row, open_websocket, journal, case, path, kind
):
    value = f"held-{case.rpartition('-')[2]}-{row.name}"
    client = open_websocket(f"{path}?kind={kind}&value={value}")
    assert [ask(client) for _ in range(10)] == [value] * 10
    if row.concurrent:
        other = open_websocket(f"{path}?kind={kind}")
        assert ask(other) is None
        assert ask(client) == value
        end(other)
    assert not journal.events(case, "undone")
    end(client)
    undone = journal.wait(case, "undone")
    assert undone["before"] == value
    assert undone["after"] is None
    assert undone["same_thread"]
    assert len(journal.events(case, "set up")) == 1
    later = open_websocket(f"{path}?kind={kind}")
    assert ask(later) is None
    end(later)


@pytest.mark.elsewhere(path=PATHS[0])
@pytest.mark.parametrize("path", PATHS)
def test_it_is_undone_when_the_client_vanishes(server, open_websocket, journal, case, path):
    client = open_websocket(f"{path}?kind=thread_local&value=held")
    assert ask(client) == "held"
    client.reset()
    assert journal.wait(case, "undone")["after"] is None
