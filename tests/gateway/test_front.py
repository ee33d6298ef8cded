"""What the front does with its clients, whatever the processes with handlers say."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from dwebsocket.backends.gateway.wire import Kind, read_close
from tests.raw_client import TEXT, RawClient, build_close, build_frame, build_request
from tests.servers.process import wait_until

from .peer import TIMEOUT

#: Clients that have left, and what each had sent.
LEFT, SIZE = 20, 2 << 20

#: Clients that do not wait for an answer, and what each had in a header.
ASKED, HEADER = 150, 50_000


@pytest.fixture
def worker(meet):
    """A process with handlers that does what these tests say."""
    worker = meet()
    worker.greet()
    return worker


@pytest.fixture
def connect(front):
    """connect(): a client that is about to open a connection."""
    address = {"host": "127.0.0.1", "port": front.port, "client_context": None}
    clients = []

    def make():
        clients.append(RawClient(SimpleNamespace(**address), timeout=TIMEOUT))
        return clients[-1]

    yield make
    for client in clients:
        client.hang_up()


def begin(client):
    client.send_bytes(build_request("/", client.host))


def open_connection(client, worker):
    """Open it; its id."""
    begin(client)
    id = worker.wait_for(Kind.OPEN).connection
    worker.accept(id)
    assert client.read_response().status == 101
    return id


def read_memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(build_close(4000), 4000, id="close"),
        pytest.param(build_frame(TEXT, b"not masked", masked=False), 1002, id="breach"),
    ],
)
def test_answers_leave_before_the_answer_to_an_end(front, worker, connect, end, code):
    """As where one process does both: what was asked before is answered, and the Close is last."""
    client = connect()
    id = open_connection(client, worker)
    client.send_text("asked")
    assert worker.wait_for(Kind.TEXT).body == b"asked"
    client.send_bytes(end)
    assert read_close(worker.wait_for(Kind.CLOSE).body)[0] == code
    worker.send(Kind.TEXT, id, 2, 1, b"answered")
    assert client.read_text() == "answered"
    assert client.read_close().close_code == code
    client.hang_up()
    worker.wait_for(Kind.CLOSED)
    front.wait_for_connections(0)


def test_what_nobody_has_answered_is_not_kept(front, worker, connect):
    """Not even until Python collects what refers to itself, which an idle process does not."""
    before = read_memory(front.front)
    for _ in range(LEFT):
        client = connect()
        open_connection(client, worker)
        client.send_frame(TEXT, b"x" * SIZE)
        worker.wait_for(Kind.TEXT)
        client.hang_up()
        worker.wait_for(Kind.CLOSED)
    front.wait_for_connections(0)
    wait_until(lambda: read_memory(front.front) - before < LEFT * SIZE / 2, "it is given back")


def test_handshakes_that_nobody_waits_for_are_not_kept(front, worker, connect):
    """Their clients have left before anybody has answered."""

    def leave(count):
        for _ in range(count):
            client = connect()
            client.send_bytes(build_request("/", client.host, headers={"X": "x" * HEADER}))
            worker.wait_for(Kind.OPEN)
            client.hang_up()
            worker.wait_for(Kind.CLOSED)

    leave(ASKED)  # what comes once has come
    before = read_memory(front.front)
    leave(ASKED)
    assert read_memory(front.front) - before < ASKED * HEADER


def test_who_says_hello_again_keeps_what_it_has(worker, connect):
    """It has waited for the answer for so long that it has doubted that it was heard."""
    client = connect()
    open_connection(client, worker)
    client.send_text("first")
    worker.wait_for(Kind.TEXT)
    worker.greet()
    worker.wait_for(Kind.WELCOME)
    client.send_text("second")
    packet = worker.wait_for(Kind.TEXT)
    assert (packet.body, packet.redelivered) == (b"second", False)


def test_who_greets_anew_is_given_its_connections_anew(worker, connect):
    """It has none of them any more."""
    client = connect()
    client.send_request("/")
    first = worker.wait_for(Kind.OPEN)
    worker.greet(greeting=1)
    assert worker.wait_for(Kind.OPEN).connection == first.connection


def test_clients_that_leave_while_they_are_accepted(front, worker, connect):
    """The end of each is told, and nothing is logged."""
    for number in range(60):
        client = connect()
        begin(client)
        id = worker.wait_for(Kind.OPEN).connection
        if number % 2:
            worker.accept(id)
            client.hang_up()
        else:
            client.hang_up()
            worker.accept(id)
        assert worker.wait_for(Kind.CLOSED).connection == id
    front.wait_for_connections(0)
    assert not front.find_faults()
