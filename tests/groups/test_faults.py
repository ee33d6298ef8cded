"""Redis goes away and comes back."""

import threading
import time

import pytest
from django.test import override_settings

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups import get_counts

from ..glue import site as django_site
from ..servers.process import wait_until
from ..servers.redis import RedisServer
from .peers import BUSY, patient
from .test_processes import NO_PINGS, Site, row_of_workers

__all__ = ["django_site"]  # configures Django

BACK = r"Redis at \S+ is back after"


@pytest.fixture
def redis(test_directory, request):
    server = RedisServer(test_directory / f"faulty-{id(request)}")
    yield server
    server.kill()


@pytest.fixture
def serve(start_server, redis):
    """Start the four processes."""
    running = []

    def serve(name, by=redis):
        server = start_server(
            row_of_workers(name),
            {"WEBSOCKET_GROUPS": patient(redis.setting), "WEBSOCKET_SEND_TIMEOUT": 3, **NO_PINGS},
        )
        site = Site(server, redis=by)
        running.append(site)
        return site

    yield serve
    for site in running:
        site.close()
        site.server.stop()
        assert not site.server.log.find_faults(), site.server.log.text()


class Publisher(threading.Thread):
    """Sends 100 messages a second from this process, numbered."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.group = Group(name)
        self.sent = []  # when each left
        self.refused = set()
        self.slowest = 0.0
        self.stop = threading.Event()

    def run(self):
        number = 0
        while not self.stop.wait(0.01):
            begun = time.monotonic()
            self.sent.append(begun)
            try:
                self.group.send(str(number))
            except GroupUnavailable:
                self.refused.add(number)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            number += 1


class Reader(threading.Thread):
    """Notes what comes, and when."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.got = []
        self.ended = None

    def run(self):
        try:
            while (text := self.client.read_text(timeout=30)) != "end":
                self.got.append((int(text), time.monotonic()))
        except Exception as error:
            self.ended = error


@pytest.mark.parametrize("name", ["gunicorn-gthread", "gunicorn-gevent", "uvicorn"])
def test_redis_is_killed_and_comes_back_under_traffic(serve, redis, name):
    redis.start()
    site = serve(name)
    readers = [Reader(client) for client in site.join_everywhere()]
    before = site.counts()
    with override_settings(WEBSOCKET_GROUPS=redis.setting, WEBSOCKET_SEND_TIMEOUT=3):
        publisher = Publisher(site.name)
        mine = get_counts()
        for thread in [*readers, publisher]:
            thread.start()
        wait_until(lambda: all(len(reader.got) > 50 for reader in readers), "traffic", 20)
        redis.kill()
        wait_until(lambda: len(publisher.refused) > 30, "refusals", 20)
        redis.start()
        back = time.monotonic()
        wait_until(
            lambda: all(r.got[-1][1] > back + 1 for r in readers), "traffic after the fault", 20
        )
        publisher.stop.set()
        publisher.join(10)
        publisher.group.send("end")
        for reader in readers:
            reader.join(20)
            assert reader.ended is None
            assert not reader.is_alive()
        counts = {k: v - mine[i] for i, (k, v) in enumerate(get_counts()._asdict().items())}
    total = len(publisher.sent)
    assert publisher.slowest < 3 + BUSY
    assert counts["unavailable"] == len(publisher.refused)
    assert counts["published"] == total - len(publisher.refused) + 1
    for reader in readers:
        numbers = [number for number, _ in reader.got]
        assert numbers == sorted(set(numbers)), "twice, or out of order"
        first_after = min(when for _, when in reader.got if when > back)
        assert first_after - back < 2
    delivered = set()
    for pid, after in site.counts().items():
        received = after["received"] - before[pid]["received"]
        lost = after["lost"] - before[pid]["lost"]
        assert received + lost == total + 1
        assert lost >= counts["unavailable"]
        delivered.add(received - 1)
    assert {len(reader.got) for reader in readers} == delivered, "received, but not passed on"
    log = site.server.log.text()
    assert log.count("cannot be reached") == log.count("is back after") == 4, log


def test_redis_is_down_at_the_start(serve, redis):
    site = serve("gunicorn-gthread", by=None)
    members = site.join_everywhere()
    members[0].send_text('["send", "hello"]')
    assert members[0].read_text() == "hello"
    assert "did not confirm the message" in members[0].read_text()
    redis.start()
    site.server.log.wait_for(rf"({BACK}[^§]*){{4}}", timeout=20)
    members[1].send_text('["answer", "x"]')
    texts = []
    while (text := members[1].read_text()) != "x":
        texts.append(text)
    members[1].send_text('["send", "again"]')
    for member in members[2:]:
        while (text := member.read_text()) != "again":
            assert text == "hello"


def test_something_else_on_a_channel(serve, redis):
    """Is told once, and harms nobody."""
    import redis as redis_py

    redis.start()
    site = serve("gunicorn-gthread")
    members = site.join_everywhere()
    client = redis_py.Redis.from_url(redis.location)
    mark = site.server.log.mark()
    for garbage in (b"", b"garbage", b"\x01\x09" + bytes(16), b"\x01\x01" + bytes(16) + b"\xff"):
        client.publish(f"dwebsocket:{site.name}", garbage)
    site.server.log.wait_for(r"(?s)(no message of a group.*){4}", since=mark)
    members[0].send_text('["send", "still here"]')
    for member in members:
        assert member.read_text() == "still here"
    assert site.server.log.text(mark).count("no message of a group") == 4  # once a process
    client.close()
