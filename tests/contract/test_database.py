"""A view that waits holds no database connection, unless it is inside atomic()."""

import json

import pytest

from ..raw_client import PING, PONG, Frame
from ..servers.process import count_open, wait_until

pytestmark = pytest.mark.rows(database=True)


def test_connection_is_released_before_a_blocking_wait(
    server, open_websocket, journal, case, database_path
):
    client = open_websocket("/database/")
    pid = journal.wait(case, "started")["pid"]
    before, during = json.loads(client.read_text())
    assert during == before + 1
    wait_until(lambda: count_open(pid, database_path) <= before, "the database is released")
    client.send_text("query again")
    assert client.read_text() == "1"


def test_connection_inside_atomic_is_kept(server, open_websocket, journal, case, database_path):
    client = open_websocket("/database/atomic/")
    pid = journal.wait(case, "started")["pid"]
    (during,) = json.loads(client.read_text())
    # The answer to the Ping shows that the view is inside its wait().
    client.send_frame(PING, b"waiting")
    assert client.read_frame() == Frame(PONG, b"waiting")
    assert count_open(pid, database_path) == during >= 1
    client.send_text("query again")
    assert client.read_text() == "1"
    assert client.read_close().close_code == 1000


def test_connection_is_released_at_the_views_end(
    server, open_websocket, journal, case, database_path
):
    client = open_websocket("/database/")
    pid = journal.wait(case, "started")["pid"]
    before, _ = json.loads(client.read_text())
    client.send_text("query again")
    assert client.read_text() == "1"
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""
    wait_until(lambda: count_open(pid, database_path) <= before, "the database is released")
