"""Engine.IO at the addresses of views and handlers: polls, a WebSocket, and both."""

import json

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
@pytest.mark.rows(concurrent=True, pages=True)
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
    assert engine.poll() == ["6"]  # it may have crossed that
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
@pytest.mark.rows(concurrent=True, pages=True)
def test_an_upgrade(row, new_engine, path):
    may_run(row, path)
    engine = new_engine(path)
    engine.open_polls()
    engine.upgrade()
    engine.send("4over")
    assert engine.read_until(1) == ["4over"]
    assert engine.request(sid=engine.sid).status == 400


CLOSING = [("/close/", "code=4001&reason=bye", 4001, "bye"), ("/ending/none/", "", 1000, "")]


@pytest.mark.parametrize(("path", "query", "code", "reason"), CLOSING)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.rows(typical=True)
def test_a_view_ends(new_engine, path, query, code, reason, transport):
    engine = new_engine(f"{path}?{query}&" if query else path, resume=True)
    if transport == "polling":
        packets = engine.open_polls()
        while packets[-1][:1] != "1":
            engine.post("4end") if packets[-1] == "4hello" else None
            packets += engine.poll()
        said = packets[-1]
        assert engine.request(sid=engine.sid).status == 400
    else:
        said = engine.open_websocket()
        while said[:1] != "1":
            engine.send("4end")
            said = engine.read()
        assert engine.read() == code
    assert json.loads(said[1:]) == {"code": code, "reason": reason}


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("debugs", [True, False])
@pytest.mark.rows(typical=True, foreign=False)
def test_errors_are_shown_with_debug_only(row, request, address, debugs, resume):
    """And to clients of ours only."""
    name = "lenient_server" if debugs else "plain_server"
    server = request.getfixturevalue(name)
    engine = EngineClient(server, address("/ending/error/"), resume=resume)
    engine.open_websocket()
    engine.send("4end")
    packets = [engine.read()]
    while not isinstance(packets[-1], int):
        packets.append(engine.read())
    engine.hang_up()
    shown = [json.loads(packet[1:]) for packet in packets[:-1] if packet[:1] == "8"]
    assert packets[-1] == 1011
    assert [one["level"] for one in shown] == ["error"] * (debugs and resume)
    assert all("DeliberateError" in one["message"] for one in shown)
    assert all("in raise_error" in one["traceback"] for one in shown)


@pytest.mark.rows(typical=True)
def test_a_refusal_says_why_with_debug_only(lenient_server, server, address):
    headers = {"Origin": "https://elsewhere.test"}
    for one, shown in [(lenient_server, "1"), (server, None)]:
        engine = EngineClient(one, address("/echo/"), resume=True, headers=headers)
        response = engine.request()
        engine.hang_up()
        assert response.status == 403
        assert response.headers.get("x-dwebsocket-debug") == shown
