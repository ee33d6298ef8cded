"""Whatever fails in a handler, or in a thread of ours, ends one connection and nothing else."""

import pytest

from dwebsocket.transports.thread_loop import MAX_WORKERS

from ..raw_client import PING, PONG, Frame
from ..servers.rows import FEW
from .conftest import run

pytestmark = pytest.mark.rows(name=[*FEW, "eventlet", "gunicorn-gthread-tls"])

#: More than there are threads that call handlers.
CLIENTS = MAX_WORKERS + 2

DAMAGES = [
    "nothing",
    "request",
    "websocket",
    "everything",
    "log",
    "receiver",
    "memory",
    "exit",
]


def check_all_is_well(client_of):
    """Handlers and views answer, and so does the protocol."""
    for path in ("/handler/echo/", "/echo/"):
        client = client_of(path)
        for number in range(20):
            client.send_text(f"{number}")
            assert client.read_text() == f"{number}"
        client.send_frame(PING, b"there?")
        assert client.read_frame() == Frame(PONG, b"there?")
        client.send_close(1000)
        assert client.read_close().close_code == 1000


def fail(clients, row):
    for client in clients:
        client.send_text("fail")
    for client in clients:
        assert client.read_close().close_code == row.shown(1011)[0]
        client.hang_up()


@pytest.mark.parametrize("how", DAMAGES)
def test_a_handler_that_raises(server, row, open_websocket, journal, case, how):
    clients = [open_websocket(f"/handler/failing/{how}/") for _ in range(CLIENTS)]
    fail(clients, row)
    journal.wait(case, "told", count=CLIENTS)
    check_all_is_well(open_websocket)


@pytest.mark.rows(coroutines=True)
@pytest.mark.parametrize("how", [how for how in DAMAGES if how != "exit"])
def test_an_async_handler_that_raises(server, row, open_websocket, journal, case, how):
    clients = [open_websocket(f"/handler/failing-async/{how}/") for _ in range(CLIENTS)]
    fail(clients, row)
    journal.wait(case, "told", count=CLIENTS)
    check_all_is_well(open_websocket)


def test_the_end_is_told_after_failures(row, start_server, new_client, address, journal, case):
    server = run(start_server, row, {}, measured=False)
    try:
        for _ in range(CLIENTS):
            client = new_client(server)
            client.open(address("/handler/failing/everything/"))
            client.send_text("fail")
            assert client.read_close().close_code == row.shown(1011)[0]
        last = new_client(server)
        last.open(address("/handler/echo/"))
        last.send_text("hello")
        assert last.read_text() == "hello"
        server.terminate()
        try:
            assert last.read_close().close_code in row.goodbye
        except EOFError:
            assert None in row.goodbye
    finally:
        server.stop()
