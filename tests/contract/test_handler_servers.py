"""The server beside open handlers: its threads are free, it ends in time; and beside views."""

import time

import pytest

from ..raw_client import RawClient
from .test_shutdown import check_end

OPEN = 50


@pytest.mark.rows(pages=True)
def test_http_goes_on_beside_many_handlers(server, open_websocket, new_client, address):
    clients = [open_websocket("/handler/echo/") for _ in range(OPEN)]
    for number, client in enumerate(clients):
        client.send_text(f"{number}")
    for _ in range(3):
        other = new_client()
        other.send_request(address("/plain/"), websocket=False)
        assert other.read_response().body == b"plain"
        other.hang_up()
    for number, client in enumerate(clients):
        assert client.read_text() == f"{number}"


@pytest.mark.rows(typical=True)  # beside views on all of them: test_shutdown.py
def test_sigterm(row, start_server):
    """Everybody hears it; the process ends in time, and without a word in the log."""
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    server = start_server(row, measured=False)
    try:
        clients = []
        for _ in range(OPEN):
            client = RawClient(server)
            clients.append(client)
            client.open("/handler/echo/")
            client.send_text("ready")
            assert client.read_text() == "ready"
        check_end(row, server, clients)
    finally:
        server.kill()
    server.log.join()
    assert not server.log.find_faults(), server.log.text()


# Views that leave the server's thread: 12 are more than each of these servers has threads

VIEW_THREADS = 12
HANDLERS = 4


@pytest.fixture(scope="module")
def small_server(row, start_server):
    settings = {
        "WEBSOCKET_VIEW_THREADS": VIEW_THREADS,
        "WEBSOCKET_MAX_CONNECTIONS": VIEW_THREADS + HANDLERS,
    }
    server = start_server(row, settings, measured=False)
    yield server
    server.stop()
    assert not server.log.find_faults(), server.log.text()


@pytest.mark.rows(pages=True)
@pytest.mark.rows(few_threads=True)
def test_views_are_bounded(small_server, row, new_client, address, journal, case):
    clients = [
        open_when_there_is_room(new_client, small_server, address("/echo/"))
        for _ in range(VIEW_THREADS)
    ]
    journal.wait(case, "started", count=VIEW_THREADS)
    check_refused(row, small_server, new_client, address("/echo/"), "WEBSOCKET_VIEW_THREADS")
    # Handlers do not count, and HTTP is served.
    for _ in range(HANDLERS):
        handler = new_client(small_server)
        handler.open(address("/handler/echo/"))
        handler.send_text("beside")
        assert handler.read_text() == "beside"
    full = "WEBSOCKET_MAX_CONNECTIONS"
    check_refused(row, small_server, new_client, address("/handler/echo/"), full)
    other = new_client(small_server)
    other.send_request(address("/plain/"), websocket=False)
    assert other.read_response().body == b"plain"
    for client in clients:
        client.send_text("still here")
        assert client.read_text() == "still here"


def check_refused(row, server, new_client, path, limit):
    mark = server.log.mark()
    client = new_client(server)
    client.send_request(path)
    response = client.read_response()
    if row.denies:
        assert response.status == 503
        assert limit in response.body.decode()
    else:
        assert response.status == 403
    server.log.wait_for(f"refused with 503: .*{limit}", since=mark)


@pytest.mark.rows(few_threads=True)
def test_room_for_views_is_given_back(small_server, new_client, address, journal, case):
    for turn in range(1, 4):
        clients = [
            open_when_there_is_room(new_client, small_server, address("/echo/"))
            for _ in range(VIEW_THREADS)
        ]
        for client in clients:
            client.send_text("bye")
            assert client.read_text() == "bye"
            client.send_close()
        journal.wait(case, "ended", count=VIEW_THREADS * turn)


def open_when_there_is_room(new_client, server, path):
    """A view counts until its thread is through with it, an instant after its last word."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        client = new_client(server)
        client.send_request(path)
        if client.read_response().status == 101:
            return client
    raise AssertionError("no room was given back")
