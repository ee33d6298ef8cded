"""Engine.IO at the addresses of views and handlers: polls, a WebSocket, and both."""

import pytest

from ..engine_client import EngineClient

BIG = "4" + "é" * 60_000
PACKETS = ["4one", b"\x00\x01\xff", "4", b"", BIG]

PATHS = ["/echo/", "/handler/echo/", "/async/echo/", "/async/handler/echo/"]
everywhere = pytest.mark.elsewhere("typical", path=["/echo/", "/handler/echo/"])


@pytest.fixture
def new_engine(server, address):
    """A client of a path of the server."""
    clients = []

    def create(path, **options):
        clients.append(EngineClient(server, address(path), **options))
        return clients[-1]

    yield create
    for client in clients:
        client.hang_up()


def may_run(row, path):
    """Coroutines do not run on every server."""
    if "async" in path and not row.coroutines:
        pytest.skip("no coroutines here")


@pytest.mark.parametrize("path", PATHS)
@everywhere
@pytest.mark.rows(concurrent=True)
def test_polls(row, new_engine, path):
    may_run(row, path)
    engine = new_engine(path)
    assert len(engine.open_polls()) == 1
    assert engine.opened["upgrades"] == ["websocket"]
    assert "resume" not in engine.opened
    waiting = engine.ask(sid=engine.sid)
    engine.post(*PACKETS)
    response = waiting.read_response()
    assert response.status == 200, response
    assert response.headers["cache-control"] == "no-store"
    engine.take(response.body)
    assert engine.poll_until(len(PACKETS)) == PACKETS
    engine.post("1")
    assert engine.request(sid=engine.sid).status == 400


@pytest.mark.parametrize("path", PATHS)
@everywhere
@pytest.mark.rows(concurrent=True)
def test_a_websocket_comes_back(row, new_engine, path):
    may_run(row, path)
    engine = new_engine(path, resume=True)
    assert engine.open_websocket()[:1] == "0"
    for packet in PACKETS:
        engine.send(packet)
    engine.read_until(len(PACKETS))
    sid = engine.sid
    engine.websocket.reset()
    engine.open_websocket(sid=sid, received=len(engine.got))
    assert (engine.sid, engine.opened["received"]) == (sid, len(PACKETS))
    engine.send("4again")
    assert engine.read_until(len(PACKETS) + 1) == [*PACKETS, "4again"]
    engine.send('1{"code":4001,"reason":"bye"}')
    assert engine.read() == 4001


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.elsewhere("typical", path="/echo/")
@pytest.mark.rows(concurrent=True)
def test_an_upgrade(row, new_engine, path):
    may_run(row, path)
    engine = new_engine(path)
    engine.open_polls()
    engine.upgrade()
    engine.send("4over")
    assert engine.read_until(1) == ["4over"]
    assert engine.request(sid=engine.sid).status == 400
