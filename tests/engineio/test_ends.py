"""A server that ends says so, to whoever polls, too."""

import json
import time

import pytest

from ..engine_client import EngineClient
from ..servers.rows import ROWS


@pytest.fixture
def ending_server(start_server):
    process = start_server(next(row for row in ROWS if row.name == "gunicorn-gthread"), {})
    yield process
    process.kill()


def test_a_server_that_ends_says_so(ending_server):
    server = ending_server
    clients = []
    for path in ["/echo/", "/handler/echo/"]:
        polling = EngineClient(server, f"{path}?case=engineio-end", resume=True)
        polling.open_polls()
        waiting = polling.ask(sid=polling.sid, after=0)
        websocket = EngineClient(server, f"{path}?case=engineio-end", resume=True)
        websocket.open_websocket()
        clients.append((waiting, websocket))
    server.terminate()
    started = time.monotonic()
    for waiting, websocket in clients:
        assert said_code(waiting.read_response().body.decode()) in (1001, 1012)
        packet = websocket.read()
        assert packet in (1001, 1012) or said_code(packet) in (1001, 1012)
    server.wait(15)
    assert time.monotonic() - started < 10


def said_code(packet):
    assert packet[:1] == "1", packet
    return json.loads(packet[1:])["code"]
