"""Servers of which the system has nothing left to give: descriptors, or threads."""

from itertools import count

import pytest

from ..raw_client import PING, RawClient
from ..servers.process import wait_until
from ..servers.rows import ROWS

#: What a server may open.
DESCRIPTORS = 200


def rows(*names):
    """Have each case run on these servers."""
    chosen = [row for row in ROWS if row.name in names]
    return pytest.mark.parametrize("row", chosen, ids=lambda row: row.name, scope="session")


cases = count(1)


@pytest.fixture
def case(row):
    """The name under which views report to this test."""
    return f"{row.name}:limits-{next(cases)}"


class Visitors:
    """Clients of one server. Those that are open at the end hang up."""

    def __init__(self, server, case):
        self._server = server
        self._case = case
        self._clients = []

    def connect(self):
        self._clients.append(RawClient(self._server))
        return self._clients[-1]

    def ask(self, path, client=None):
        """A client that has sent a handshake, and what the server answers."""
        client = client or self.connect()
        client.send_request(f"{path}?case={self._case}")
        return client, client.read_response()

    def open(self, path):
        """A client whose WebSocket works."""
        client, response = self.ask(path)
        assert response.status == 101
        check_echo(client)
        return client

    def get(self, path):
        """The body of a page."""
        client = self.connect()
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        response = client.read_response()
        assert response.status == 200
        client.hang_up()
        return response.body

    def leave(self):
        for client in self._clients:
            client.hang_up()
        self._clients.clear()


@pytest.fixture
def visitors(server, case):
    made = Visitors(server, case)
    yield made
    made.leave()


def check_echo(client):
    """It works, and all that came behind the 101 are frames."""
    client.send_text("hello")
    assert client.read_text() == "hello"
    while client.unread():
        assert client.read_frame().opcode == PING


def open_in_the_end(visitors, path):
    """A client whose WebSocket works, when the server has noticed that others have left."""
    accepted = []

    def works():
        client, response = visitors.ask(path)
        if response.status == 101:
            accepted.append(client)
        else:
            assert response.status == 503
        return accepted

    wait_until(works, f"a WebSocket of {path} is accepted", timeout=30)
    check_echo(accepted[0])
    return accepted[0]
