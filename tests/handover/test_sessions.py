"""gunicorn restarts its workers: sessions of our client go on, whatever carries them."""

import json
import os
import signal
import threading
from contextlib import contextmanager, suppress

import pytest

from ..engine_client import EngineClient
from ..engineio.breaking import BROKEN, BreakingClient
from ..raw_client import TEXT, build_frame
from ..servers.process import list_children, wait_until
from ..servers.redis import redis_servers
from .test_gunicorn import (
    SETTINGS,
    SHARE,
    TIMEOUT,
    WORKERS,
    fetch,
    make_row,
    reload,
    wait_for_end,
    wear_out,
)

#: A client that is slow, for the machine is, is not given up; nor is a call of a handler.
PATIENT = {
    **SETTINGS,
    "WEBSOCKET_RESUME_TIMEOUT": 120,
    "WEBSOCKET_PING_TIMEOUT": 120,
    "WEBSOCKET_HANDOVER_TIMEOUT": 30,
}


#: Over Redis processes of several machines find each other.
TRIED = [*WORKERS, "redis"] if "DWEBSOCKET_TEST_DEPLOYS" in os.environ else ["gthread"]


class Talker(EngineClient):
    """Asks its handler, wherever the session is, and comes back to it."""

    asked = 0

    def hear(self, text):
        """What the handler answers."""
        since = len(self.got)
        self.send(f"4{text}")
        self.asked += 1
        while True:
            found = [packet for packet in self.got[since:] if packet[1:6] != "group"]
            if found:
                return found[0][1:]
            if self.read() == 1012:  # another worker has the session, or its WebSocket has stayed
                self.come_back()
                if self.opened["received"] < self.asked:
                    self.send(f"4{text}")

    def find_pid(self):
        return int(self.hear("pid").removeprefix("pid "))

    def come_back(self):
        """With a WebSocket, which any worker may get."""
        sid = self.sid
        self.open_websocket(sid=sid, received=len(self.got))
        assert (self.sid, "received" in self.opened) == (sid, True)


@pytest.fixture(scope="module", params=TRIED)
def server(start_server, request, tmp_path_factory):
    with redis_servers(tmp_path_factory.mktemp("redis")) as make:
        settings, worker = PATIENT, request.param
        if worker == "redis":
            redis, worker = make(), "gthread"
            redis.start()
            settings = {**settings, "WEBSOCKET_GROUPS": redis.setting}
        server = start_server(make_row(worker), settings, measured=False)
        yield server
        server.stop(30)


@pytest.fixture
def connect():
    engines = []

    def open_one(server, path, transport="websocket", *, resume=True):
        engine = Talker(server, path, resume=resume)
        engine.timeout = TIMEOUT
        engines.append(engine)
        if transport == "websocket":
            engine.open_websocket()
        else:
            engine.open_polls()
        return engine

    yield open_one
    for engine in engines:
        engine.hang_up()


#: How often its connections break, however quick the workers are.
MANY = 5


def read_end(engine):
    """What the session ends with."""
    while (packet := engine.read())[:1] != "1":
        pass
    return json.loads(packet[1:])["code"]


@contextmanager
def breaking_all_the_time(server):
    """A client whose connections break, at any byte, while its session moves."""
    client = BreakingClient(server, "/moving/echo/", seed=7)
    client.timeout = TIMEOUT
    client.open_websocket()
    sid, is_over = client.sid, threading.Event()

    def run():
        while not is_over.is_set() or client.breaks <= MANY:
            client.add(3)
            with suppress(*BROKEN, AssertionError):  # which is a Close
                client.break_websocket(sid=sid, received=len(client.got))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield client
    finally:
        is_over.set()
        thread.join(TIMEOUT)
    assert client.sid == sid
    assert client.breaks > MANY
    client.finish()
    assert client.got == client.sent
    client.hang_up()


def test_sessions_go_on(server, connect):
    room = "/moving/room/a/"
    carried, half, plain, away = (connect(server, room, resume=one) for one in (1, 1, 0, 1))
    polled, plainly = (connect(server, room, "polling", resume=one) for one in (1, 0))
    back = [connect(server, room) for _ in range(6)]
    for engine in back:
        engine.websocket.reset()
        engine.come_back()  # to the worker that has it, or to the other one
    ends = {how: connect(server, f"/moving/{how}/") for how in ("raise", "fail")}
    ends["view"] = connect(server, "/echo/")
    away.websocket.reset()
    assert fetch(server, "/moving/send/a/0/3/").status == 200  # to who is away, too
    frame = build_frame(TEXT, "4half")
    half.websocket.send_bytes(frame[:5])
    while len(polled.got) < 3:  # they may come one by one
        polled.poll(after=len(polled.got))
    waiting = polled.ask(sid=polled.sid, after=3)
    with breaking_all_the_time(server):
        old = reload(server)
        assert waiting.read_response().body == b"6"
        wait_for_end(server, old)

    assert {how: read_end(engine) for how, engine in ends.items()} == {
        "raise": 1012,
        "fail": 1011,
        "view": 1012,
    }
    assert fetch(server, "/moving/send/a/3/2/").status == 200
    half.websocket.send_bytes(frame[5:])
    for engine in (carried, plain):
        engine.send("4more")
    for engine in (carried, half, plain):
        check(engine.read_until(6))
    away.come_back()
    away.send("4more")
    check(away.read_until(6))
    for engine in back:
        while len(engine.got) < 5:
            if engine.read() == 1012:  # it was relayed
                engine.come_back()
        engine.send("4more")
        check(engine.read_until(6))
    polled.post("4more", sent=0)
    plainly.post("4more")
    check(polled.poll_until(6))
    check(plainly.poll_until(6))
    # Their names are those of processes that are gone, and they go on once more.
    wait_for_end(server, reload(server))
    for engine in (carried, half, plain, away, *back):
        engine.send("4again")
    for engine in (carried, half, plain, away, *back):
        while len(engine.got) < 7:
            if engine.read() == 1012:
                engine.come_back()
                engine.send("4again")
        assert engine.got[6].endswith(" again")
    polled.post("4again", sent=1)
    assert polled.poll_until(7)[6] == "42 again"


def tell_group(server, first, count):
    """Send numbers to the group; a worker that ends may drop what it has just accepted."""

    def is_told():
        with suppress(OSError, EOFError):
            return fetch(server, f"/moving/send/few/{first}/{count}/").status == 200

    wait_until(is_told, "a worker answers", TIMEOUT)


@pytest.fixture
def recycling(start_server):
    """A server whose workers serve a few requests."""
    server = start_server(make_row("gthread", *SHARE), PATIENT, measured=False)
    yield server
    server.stop(30)


def test_sessions_go_on_one_by_one(recycling, connect):
    """A worker has served its share; then another gunicorn comes; then that one ends for good."""
    server, room = recycling, "/moving/room/few/"
    wait_until(lambda: len(list_children(server.pid)) == 2, "both workers are there", TIMEOUT)
    carried = [connect(server, room) for _ in range(6)]
    owners = {engine.find_pid() for engine in carried}
    away, polled = connect(server, room), connect(server, room, "polling")
    away.websocket.reset()
    tell_group(server, 0, 2)
    wear_out(server, owners)
    tell_group(server, 2, 1)
    away.come_back()
    polled.post("4a", sent=0)
    assert [engine.hear("a") for engine in (*carried, away)] == ["1 a"] * 7
    polled.poll_until(4)

    workers = set(list_children(server.pid))
    server.signal(signal.SIGUSR2)
    wait_until(lambda: set(list_children(server.pid)) - workers, "the new one starts", TIMEOUT)
    [master] = set(list_children(server.pid)) - workers
    away.websocket.reset()
    server.terminate()
    server.wait(TIMEOUT)
    away.come_back()
    polled.post("4b", sent=1)
    assert [engine.hear("b") for engine in (*carried, away)] == ["2 b"] * 7
    for got in (polled.poll_until(5), *(engine.got for engine in (*carried, away))):
        texts = [packet[1:].split()[:2] for packet in got]
        assert [words[1] for words in texts if words[0] == "group"] == ["0", "1", "2"]
    assert {engine.find_pid() for engine in carried} <= set(list_children(master))
    os.kill(master, signal.SIGTERM)
    assert {read_end(engine) for engine in carried} == {1001}


def check(got):
    """All that the group was sent, once and in order, and one answer."""
    texts = [packet[1:].split() for packet in got]
    assert [words[1] for words in texts if words[0] == "group"] == [*map(str, range(5))]
    assert next(words for words in texts if words[0] != "group")[0] == "1"
