"""What ASGI servers have besides WebSockets: their lifespan, their HTTP, their threads."""

from pathlib import Path

import pytest

from ..servers.process import wait_until
from .test_gunicorn_ends import check_all_echo, open_sockets

VIEWS = 60
HANDLERS = 1000
#: The loop's own, eight that call handlers, and what Python has besides.
MAX_THREADS = 12


@pytest.mark.rows(asgi=True)
def test_lifespan_is_answered(server):
    """At the end, too: the log is read once more when the server has been stopped."""
    assert "ifespan" not in server.log.text()


@pytest.mark.rows(asgi=True)
def test_the_log_says_whose_the_connection_is(server, row, open_websocket):
    client = open_websocket("/echo/")
    client.send_text("open")
    assert client.read_text() == "open"
    way = "the ASGI server speaks the protocol: " if row.foreign else "lets go of its connections"
    server.log.wait_for(rf"^INFO dwebsocket\.handshake: WebSockets: .*{way}")


@pytest.mark.rows(asgi=True)
def test_http_goes_on_beside_many_idle_views(server, open_websocket, new_client, address):
    clients = [open_websocket("/echo/") for _ in range(VIEWS)]
    for _ in range(3):
        other = new_client()
        other.send_request(address("/plain/"), websocket=False)
        assert other.read_response().body == b"plain"
    for number, client in enumerate(clients):
        client.send_text(f"{number}")
        assert client.read_text() == f"{number}"


@pytest.mark.rows(asgi=True, typical=True)
def test_idle_handlers_hold_no_thread(row, start_server):
    # No Ping comes before the echo, however long it takes to open them all.
    server = start_server(row, {"WEBSOCKET_PING_INTERVAL": None}, measured=False)
    sockets = open_sockets(server, HANDLERS)
    try:
        check_all_echo(sockets)
        # Those that the handshakes have needed end after a second.
        wait_until(lambda: count_threads(server.pid) <= MAX_THREADS, "threads end", 30)
    finally:
        for sock in sockets:
            sock.close()
        server.stop()
    assert not server.log.find_faults(), server.log.text()


def count_threads(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))
