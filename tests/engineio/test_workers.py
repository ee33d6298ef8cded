"""Several processes, and nothing that sends a client to the same one each time."""

import json
import os
import signal
import time
from contextlib import suppress

import engineio
import pytest
import requests

from ..engine_client import EngineClient, as_frame
from ..groups.test_processes import row_of_workers
from ..servers.nginx import Nginx
from ..servers.process import freeze, list_children, wait_until
from ..servers.redis import redis_servers
from ..servers.rows import ROWS
from .breaking import BROKEN, BreakingClient
from .conftest import SETTINGS
from .sites import Turns, run_site, stop

#: How often connections break.
BREAKS = 1000 if "DWEBSOCKET_TEST_STRESS" in os.environ else 60
BREAKS_AT_ONCE = 30

UNKNOWN = 400, b'{"code":1,"message":"Session ID unknown"}'


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with redis_servers(tmp_path_factory.mktemp("redis")) as make:
        server = make()
        server.start()
        yield server


@pytest.fixture(scope="module", params=["machine", "redis"])
def site(request, start_server):
    """Three processes: of one machine, or of as many machines with one Redis."""
    row = row_of_workers("gunicorn-gthread", 1)
    settings, shares = SETTINGS, request.param == "machine"
    if not shares:
        redis = request.getfixturevalue("redis")
        settings = {**settings, "WEBSOCKET_GROUPS": redis.setting}
    with run_site(start_server, row, settings, shares=shares) as found:
        yield found
        stop(found)


@pytest.fixture
def new_engine():
    clients = []

    def create(server, path, **options):
        clients.append(EngineClient(server, f"{path}?case=relay", **options))
        return clients[-1]

    yield create
    for client in clients:
        client.hang_up()


on_one_machine = pytest.mark.parametrize("site", ["machine"], indirect=True, scope="module")
with_redis = pytest.mark.parametrize("site", ["redis"], indirect=True, scope="module")

PACKETS = ["4one", b"\x00\x01\xff", "4", b"", "4" + "é" * 60_000, "4\ud7ff\U0001f600"]


@pytest.mark.parametrize("path", ["/echo/", "/async/handler/echo/"])
def test_polls(site, new_engine, path):
    engine = new_engine(site, path)
    engine.open_polls()
    for number, packet in enumerate(PACKETS * 2):
        waiting = engine.ask(sid=engine.sid) if number % 2 else None
        engine.post(packet)
        if waiting is not None:
            engine.take(waiting.read_response().body)
        engine.poll_until(number + 1)
    assert engine.got == PACKETS * 2
    assert engine.request("POST", b"9", sid=engine.sid).status == 400
    assert engine.request(sid=engine.sid).status == 400


@with_redis
def test_an_upgrade(site, new_engine):
    engine = new_engine(site, "/handler/echo/")
    engine.open_polls()
    engine.upgrade()
    for packet in PACKETS:
        engine.send(packet)
    assert engine.read_until(len(PACKETS)) == PACKETS


def test_who_comes_back(site, new_engine):
    engine = new_engine(site, "/handler/echo/", resume=True)
    engine.open_websocket()
    sid = engine.sid
    for number in range(6):
        engine.websocket.reset()
        engine.open_websocket(sid=sid, received=len(engine.got))
        assert (engine.sid, engine.opened["received"]) == (sid, number)
        engine.send(f"4{number}")
        engine.read_until(number + 1)
    engine.request(sid=sid, received=6)  # and now it polls
    engine.post("4polled", sent=6)
    engine.poll(after=6)
    assert engine.got == [*(f"4{number}" for number in range(6)), "4polled"]


def test_what_breaks_goes_on_elsewhere(site):
    client = BreakingClient(site, "/handler/echo/?case=relay-breaks", seed=1)
    client.open_websocket()
    while client.breaks < BREAKS:
        for _ in range(BREAKS_AT_ONCE):
            client.add(3)
            client.break_websocket(sid=client.sid, received=len(client.got))
        client.request(sid=client.sid, received=len(client.got))
        for _ in range(BREAKS_AT_ONCE):
            client.add(3)
            getattr(client, client.random.choice(["break_post", "break_poll"]))()
        client.finish()
        assert client.got == client.sent
    client.hang_up()


@on_one_machine
def test_who_sends_faster_than_is_read(site, new_engine, gate):
    """What comes waits in the client, and not between the processes."""
    engine = new_engine(site.servers[0], "/handler/held/", resume=True)
    engine.open_polls()
    engine.server, most = site.servers[1], 60 << 20
    engine.open_websocket(sid=engine.sid, received=0)
    engine.websocket._socket.settimeout(0.5)
    frame, sent = as_frame(f"4{gate}".ljust(100_000)), 0
    with suppress(TimeoutError):
        while sent < most:
            engine.websocket._socket.sendall(frame)
            sent += len(frame)
    assert sent < most


@on_one_machine
def test_it_is_its_own_clients(site, new_engine):
    engine = new_engine(site, "/echo/", resume=True, headers=[("Cookie", "sessionid=own")])
    engine.open_polls()
    for body in [None, b"4mine"] * 3:
        method = "GET" if body is None else "POST"
        headers = [("Cookie", "sessionid=other")]
        response = engine.ask(method, body, headers=headers, sid=engine.sid).read_response()
        assert response.status == 403, response
        response = engine.ask(sid=engine.sid, received=0, headers=headers).read_response()
        assert response.status == 403, response
    engine.post("4own")
    assert engine.poll_until(1) == ["4own"]


@pytest.mark.parametrize("name", ["0" * 16, "a", "\0dwebsocket", "../0", "é" * 16])
def test_a_process_that_is_none(site, new_engine, name):
    engine = new_engine(site, "/handler/echo/", resume=True)
    sid = f"{name}.unknown"
    started = time.monotonic()
    response = engine.request(sid=sid)
    assert (response.status, response.body) == UNKNOWN
    assert engine.request("POST", b"4x", sid=sid).status == 400
    engine.take(engine.request(sid=sid, received=7).body)
    assert engine.sid != sid
    assert "received" not in engine.opened
    assert time.monotonic() - started < 10  # there is nobody to wait for


def test_a_process_that_is_killed(site, start_server, new_engine):
    """A poll that waits at another one is answered, and who comes back begins anew."""
    owner = start_server(site.servers[0].row, site.settings)
    try:
        clients = []
        for _ in range(3):
            engine = new_engine(owner, "/handler/echo/", resume=True)
            engine.open_polls()
            engine.server = site.servers[1]
            clients.append((engine, engine.ask(sid=engine.sid, after=0)))
        websocket = new_engine(owner, "/handler/echo/", resume=True)
        websocket.open_websocket()
        websocket.server = site.servers[2]
        websocket.open_websocket(sid=websocket.sid, received=0)
        engine.post("4here")  # so what is waiting there is answered
        assert clients[-1][1].read_response().status == 200
        owner.kill()
    finally:
        owner.kill()
    for engine, waiting in clients[:-1]:
        response = waiting.read_response()
        assert (response.status, response.body) == UNKNOWN
        sid = engine.sid
        engine.take(engine.request(sid=sid, received=0).body)
        assert engine.sid != sid
    assert websocket.read() == 1001


@on_one_machine
def test_a_process_that_ends_and_has_another_ones_session(site, start_server, new_engine):
    """The session does not end with it."""
    passing = start_server(site.servers[0].row, site.settings)
    engine = new_engine(site.servers[0], "/echo/", resume=True)
    engine.open_polls()
    sid, engine.server = engine.sid, passing
    engine.open_websocket(sid=sid, received=0)
    engine.send("4before")
    engine.read_until(1)
    passing.stop()
    assert engine.read() in (1001, 1012)
    engine.server = site.servers[2]
    engine.open_websocket(sid=sid, received=1)
    assert (engine.sid, engine.opened["received"]) == (sid, 1)
    engine.send("4behind")
    assert engine.read_until(2) == ["4before", "4behind"]


@on_one_machine
def test_a_process_that_ends_with_its_sessions(site, start_server, new_engine):
    """Their clients are told, wherever they are."""
    owner = start_server(site.servers[0].row, site.settings)
    engine = new_engine(owner, "/handler/echo/", resume=True)
    engine.open_polls()
    engine.server = site.servers[1]
    engine.open_websocket(sid=engine.sid, received=0)
    owner.stop()
    said = engine.read()
    assert json.loads(said[1:])["code"] in (1001, 1012)
    assert engine.read() in (1001, 1012)


@with_redis
def test_messages_that_are_lost(site, redis):
    """Redis breaks what it has with those that listen: no more is lost than time."""
    engine = BreakingClient(site, "/handler/echo/?case=relay-lost", seed=2)
    engine.add(1)
    engine.open_websocket()
    sid = engine.sid
    for _ in range(3):
        engine.add(40)
        engine.open_websocket(sid=sid, received=len(engine.got))
        if engine.sid != sid:  # nobody listened just then
            sid, engine.sent = engine.sid, engine.sent[-40:]
            engine.got.clear()
        for packet in engine.sent[engine.opened.get("received", 0) :]:
            engine.send(packet)
        redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        with suppress(AssertionError, *BROKEN):
            engine.read_until(len(engine.sent))
        engine.websocket.hang_up()
        assert engine.got == engine.sent[: len(engine.got)]
    engine.hang_up()
    for owner in site.servers:  # the next test is to find all well
        wait_until(lambda one=owner: is_reached(one, site.servers), "all hear again", timeout=60)


def is_reached(owner, servers):
    """Whether all reach a session of this process."""
    engine = EngineClient(owner, "/handler/echo/?case=relay")
    engine.open_polls()
    statuses = []
    for engine.server in servers:
        statuses.append(engine.request("POST", b"6", sid=engine.sid).status)
    engine.hang_up()
    return set(statuses) == {200}


@on_one_machine
def test_a_process_that_hangs(site, new_engine):
    """What waits for it is refused, and what comes back finds its session later."""
    owner, other = site.servers[:2]
    engine = new_engine(owner, "/handler/echo/", resume=True)
    engine.open_polls()
    engine.server, sid = other, engine.sid
    engine.post("4first", sent=0)
    workers = list_children(owner.pid)
    try:
        for pid in workers:
            freeze(pid)
        assert engine.request(sid=sid, after=0).status == 400
        assert engine.request("POST", b"4second", sid=sid, sent=1).status == 400
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

    def comes_back():
        response = engine.request("POST", b"4second", sid=sid, sent=1)
        return response.status == 200

    wait_until(comes_back, "what is sent gets through", timeout=60)
    engine.take(engine.request(sid=sid, received=0).body)
    while len(engine.got) < 2:
        engine.poll(after=len(engine.got))
    assert (engine.sid, engine.got) == (sid, ["4first", "4second"])


def test_nginx_and_a_client_that_is_not_ours(start_server, certificates, tmp_path):
    """Four workers behind one port, of which nginx knows no more than that."""
    server = start_server(row_of_workers("gunicorn-gthread", 4), SETTINGS)
    nginx = Nginx(tmp_path / "nginx", [server.port], certificates, {"buffering": ""})
    try:
        for transports in ["polling"], ["polling", "websocket"]:
            talk(nginx, certificates, transports)
    finally:
        nginx.stop()
        stop(Turns([server], {}))


def talk(nginx, certificates, transports):
    """Have an echo of some messages, by the client of python-engineio."""
    got, sent = [], [f"message {number}" for number in range(50)]
    session = requests.Session()
    session.trust_env, session.verify = False, str(certificates.authority)
    client = engineio.Client(http_session=session, request_timeout=60)
    client.on("message", got.append)
    url = f"https://127.0.0.1:{nginx.port}/?case=relay"
    client.connect(url, transports=transports, engineio_path="handler/echo")
    for message in sent:  # it takes no more than 16 packets in one answer
        client.send(message)
    wait_until(lambda: len(got) >= len(sent), "all has come back", timeout=60)
    wait_until(lambda: client.transport() == transports[-1], "it has changed over", timeout=60)
    assert got == sent
    client.disconnect()


@pytest.mark.parametrize("name", ["uvicorn", "gevent-unpatched"])
def test_other_ways_of_waiting(start_server, new_engine, name):
    row = next(row for row in ROWS if row.name == name)
    with run_site(start_server, row, SETTINGS, 2) as site:
        for path in ["/echo/", "/handler/echo/"]:
            engine = new_engine(site, path, resume=True)
            engine.open_polls()
            for number in range(4):
                engine.post(f"4{number}", sent=number)
                while len(engine.got) <= number:
                    engine.poll(after=len(engine.got))
                engine.open_websocket(sid=engine.sid, received=len(engine.got))
                engine.open_websocket(sid=engine.sid, received=len(engine.got))
                engine.request(sid=engine.sid, received=len(engine.got))
            assert engine.got == [f"4{number}" for number in range(4)]
        stop(site)
