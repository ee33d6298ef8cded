"""What a context sets up is there in each call of a handler, and all the time of an async view that
goes on beside its request. Nobody else sees it.
"""

import pytest

from .conftest import check_and_stop, run
from .holding import ask, end

pytestmark = [
    pytest.mark.rows(patched=True, database=True),
    pytest.mark.elsewhere(kind="open_transaction"),
]

KINDS = [
    "thread_local",
    "local",
    "context_variable",
    "connection_attribute",
    "signal_receiver",
    "open_transaction",
    "query_wrapper",
]
COROUTINES = ["/holding/async-handler/", "/holding/task/"]
SETTINGS = {"WEBSOCKET_CONTEXTS": ["tests.project.views.holding_calls.hold"]}


@pytest.fixture(scope="session")
def context_server(row, start_server, journal):
    """The row's server, with a context."""
    process = run(start_server, row, SETTINGS)
    yield process
    check_and_stop(process, journal)


@pytest.fixture
def server(context_server):
    return context_server


def check_held(row, open_websocket, journal, case, path, kind):
    value = f"held-{case.rpartition('-')[2]}-{row.name}"
    client = open_websocket(f"{path}?kind={kind}&value={value}")
    assert [ask(client) for _ in range(10)] == [value] * 10
    if row.concurrent:
        other = open_websocket(f"{path}?kind={kind}")
        assert [ask(one) for one in (other, client, other)] == [None, value, None]
        end(other)
        assert journal.wait(case, "closed")["found"] is None
    end(client)
    assert journal.wait(case, "closed", 2 if row.concurrent else 1)["found"] == value
    later = open_websocket(f"{path}?kind={kind}")
    assert ask(later) is None
    end(later)
    assert not journal.events(case, "left over")


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler(server, row, open_websocket, journal, case, kind):
    check_held(row, open_websocket, journal, case, "/holding/handler/", kind)


@pytest.mark.rows(coroutines=True)
@pytest.mark.parametrize("path", COROUTINES)
@pytest.mark.parametrize("kind", KINDS)
def test_coroutines(server, row, open_websocket, journal, case, path, kind):
    check_held(row, open_websocket, journal, case, path, kind)


@pytest.mark.rows(coroutines=True)
@pytest.mark.parametrize("kind", KINDS)
def test_an_async_view(server, row, open_websocket, journal, case, kind):
    check_held(row, open_websocket, journal, case, "/holding/async-view/", kind)
