"""Members in several processes of one server, and a sender that has none."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count, cycle

import pytest

from ..raw_client import RawClient
from ..servers.process import ROOT, wait_until
from ..servers.rows import ROWS
from .peers import patient

WORKERS = 4

#: Members that are read one after the other answer no Ping in time.
NO_PINGS = {"WEBSOCKET_PING_INTERVAL": None}
names = count(1)


def row_of_workers(name, workers=WORKERS):
    row = next(row for row in ROWS if row.name == name)
    option = "--processes" if "uwsgi" in name else "--workers"
    return replace(row, arguments=(*row.arguments, option, str(workers)))


#: All kinds of workers.
SERVERS = ["gunicorn-gthread", "gunicorn-gevent", "uwsgi-processes", "uvicorn"]

#: Clients that stay, while processes without one are looked for.
MEMBERS = 100


class Site:
    """A server of several processes."""

    def __init__(self, server, timeout=60, redis=None):  # a busy machine starts workers slowly
        self.server = server
        self.timeout = timeout  # seconds
        self.redis = redis  # that by which its processes hear of each other
        self.name = f"group-{next(names)}"
        self.clients = []

    def join(self, kind="handler"):
        client = RawClient(self.server, timeout=self.timeout)
        self.clients.append(client)
        client.open(f"/group/{kind}/{self.name}/?case={self.name}")
        client.alone = client.read_text() == "member 1"  # the first one of its process
        return client

    def join_soon(self, kind="handler"):
        """The same while perhaps no worker listens yet."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.join(kind)
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "no worker listens"
                time.sleep(0.05)

    def join_everywhere(self):
        """A member in each process, and perhaps more of them."""
        kinds = cycle(["view", "handler"])

        def join():
            client = self.join_soon(next(kinds))
            if not client.alone and len(self.clients) > MEMBERS:
                self.clients.pop().hang_up()
            return sum(client.alone for client in self.clients) == WORKERS

        # A worker that is still starting takes nobody in, however many come.
        wait_until(join, f"each of {WORKERS} processes has a member", timeout=60)
        if self.redis is not None:  # joining waits a moment at most
            wait_until(lambda: self.listeners() == WORKERS, "all listen", timeout=60)
        return self.clients

    def listeners(self):
        """How many processes listen, by Redis."""
        return self.redis.command("PUBSUB", "NUMSUB", f"dwebsocket:{self.name}")[1]

    def counts(self):
        """What each process says, by its pid."""
        found = {}

        def ask():
            client = RawClient(self.server, timeout=20)
            client.send_request(
                f"/group/count/{self.name}/", websocket=False, headers={"Connection": "close"}
            )
            answer = json.loads(client.read_response().body)
            client.hang_up()
            found[answer["pid"]] = answer
            return len(found) == WORKERS

        wait_until(ask, "every process has answered", timeout=60)
        return found

    def close(self):
        for client in self.clients:
            client.hang_up()


#: By Redis, and by the machine itself.
BACKENDS = [
    *(("redis", name) for name in ("gunicorn-gthread", "gunicorn-gevent", "uvicorn")),
    *(("machine", name) for name in SERVERS),
]


@pytest.fixture(scope="module", params=BACKENDS, ids=" ".join)
def workers(request, start_server, redis_server):
    backend, name = request.param
    setting = patient(redis_server.setting)
    groups = {"WEBSOCKET_GROUPS": setting} if backend == "redis" else {}
    server = start_server(row_of_workers(name), {**groups, **NO_PINGS})
    server.groups = groups
    yield server
    server.stop()
    assert not server.log.find_faults(), server.log.text()


@pytest.fixture
def site(workers, redis_server):
    site = Site(workers, redis=redis_server if workers.groups else None)
    yield site
    site.close()


def test_messages_reach_members_in_all_processes(site):
    members = site.join_everywhere()
    for sender in members[:8]:
        sender.send_text('["send", "hello ✓"]')
        assert {member.read_text() for member in members} == {"hello ✓"}


def test_exclude_leaves_out_the_sender_alone(site):
    members = site.join_everywhere()
    members[0].send_text('["send_to_others", "first"]')
    members[1].send_text('["send_to_others", "second"]')
    assert members[0].read_text() == "second"
    assert members[1].read_text() == "first"
    for member in members[2:]:
        assert {member.read_text(), member.read_text()} == {"first", "second"}


def test_order(site):
    members = site.join_everywhere()
    for sender in members[:3]:
        sender.send_text('["send_many", 200, 50]')
        for member in members:
            assert [int(member.read_text()[:6]) for _ in range(200)] == list(range(200))


def test_close_reaches_all(site):
    members = site.join_everywhere()
    members[0].send_text('["close", 4002, "all of you"]')
    for member in members:
        assert member.read_close().close_code == 4002


def test_a_process_without_members_listens_no_more(site):
    if not site.server.groups:
        pytest.skip("the channel of a machine is there for all groups of a process")
    members = site.join_everywhere()
    assert site.listeners() == WORKERS
    before = site.counts()
    for member in members:
        member.send_text('["leave"]')
        assert member.read_text() == "left"
    assert {answer["count"] for answer in site.counts().values()} == {0}
    wait_until(lambda: site.listeners() == 0, "nobody listens", timeout=30)
    members[0].send_text('["send", "to nobody"]')
    members[0].send_text('["answer", "sent"]')
    assert members[0].read_text() == "sent"
    after = site.counts()
    assert sum(one["published"] for one in after.values()) == 1 + sum(
        one["published"] for one in before.values()
    )


def run_command(server, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "django", "websocket_send", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "DWEBSOCKET_TEST_SETTINGS": json.dumps(server.groups),
            "DWEBSOCKET_TEST_RUN_DIR": str(server.run_directory),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_reaches_everybody(site):
    members = site.join_everywhere()
    result = run_command(site.server, site.name, "from the shell ✓")
    assert (result.returncode, result.stderr) == (0, "")
    for member in members:
        assert member.read_text() == "from the shell ✓"


#: What the command itself says does not depend on how a server waits.
on_threads = pytest.mark.parametrize(
    "workers",
    [(backend, name) for backend, name in BACKENDS if name == "gunicorn-gthread"],
    ids=" ".join,
    indirect=True,
)


@on_threads
def test_the_command_says_that_nobody_is_in_the_group(site):
    site.join_soon()
    result = run_command(site.server, f"{site.name}s", "a slip")
    assert result.returncode == 0
    said = f"Nobody gets this now: the group '{site.name}s' has no members. Is that its name?"
    assert result.stderr.strip() == said


@on_threads
@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["", "message"], "name of a group"), (["a", "{", "--json"], "not JSON")],
)
def test_the_command_says_what_is_wrong(workers, arguments, text):
    result = run_command(workers, *arguments)
    assert result.returncode == 1
    assert text in result.stderr
    assert "Traceback" not in result.stderr
