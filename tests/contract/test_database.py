"""A view that waits holds no database connection, unless it is inside atomic()."""

import json

import pytest

from ..raw_client import PING, PONG, Frame
from ..servers.process import count_open

pytestmark = pytest.mark.rows(database=True)


@pytest.fixture
def open_idle(open_websocket, journal, case, wait_for_release):
    """Connect to a view that waits to be told to query, and its process, which has none open."""

    def connect(path):
        client = open_websocket(path)
        pid = journal.wait(case, "started")["pid"]
        wait_for_release(pid)
        return client, pid

    return connect


def ask(client):
    """How often the database was open before the view's query and after it."""
    client.send_text("query")
    return json.loads(client.read_text())


def test_connection_is_released_before_a_blocking_wait(server, open_idle, wait_for_release):
    client, pid = open_idle("/database/")
    assert ask(client) == [0, 1]
    wait_for_release(pid)
    assert ask(client) == 1


def test_connection_inside_atomic_is_kept(server, open_idle, database_path):
    client, pid = open_idle("/database/atomic/")
    assert ask(client) == [1, 1]  # atomic() has opened it
    # The answer to the Ping shows that the view is inside its wait().
    client.send_frame(PING, b"waiting")
    assert client.read_frame() == Frame(PONG, b"waiting")
    assert count_open(pid, database_path) == 1
    assert ask(client) == 1
    assert client.read_close().close_code == 1000


def test_connection_is_released_at_the_views_end(server, open_idle, wait_for_release):
    client, pid = open_idle("/database/")
    assert ask(client) == [0, 1]
    assert ask(client) == 1
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""
    wait_for_release(pid)
