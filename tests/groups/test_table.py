"""Each cell of the table of docs/howto/history.md is a case: what happens, to which backend, and
what becomes of the messages.
"""

import json
import os
import resource
import signal
import sqlite3
from contextlib import closing, contextmanager, suppress

import pytest

from ..docs.pages import page
from ..raw_client import TEXT, RawClient
from ..servers.process import list_children, wait_until
from .test_processes import row_of_workers

TABLE = page("docs/howto/history.md").table("What happens")
COLUMNS = TABLE.header[1:]
CELLS = [(row[0], column, row[at]) for row in TABLE.rows for at, column in enumerate(COLUMNS, 1)]

#: With the number of processes.
BACKENDS = {
    "memory": ({"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}, 1),
    "machine": ({"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}, 2),
    "Redis": (None, 2),
}
SETTINGS = {"WEBSOCKET_PING_INTERVAL": None, "WEBSOCKET_MAX_SEND_BUFFER": 200_000}

KEPT, LOST, REFUSED = "kept", "lost, told", "refused"


class Site:
    """A server, and its backend.

    Attributes:
        redis: of that column.
    """

    def __init__(self, server, redis):
        self.server = server
        self.redis = redis

    def workers(self):
        return set(list_children(self.server.pid))

    def ask(self, path):
        client = RawClient(self.server, timeout=30)
        try:
            client.send_request(path, websocket=False, headers={"Connection": "close"})
            response = client.read_response()
            return response.status, response.body.decode()
        finally:
            client.hang_up()

    def start_anew(self):
        """As a deploy does."""
        known = self.workers()
        self.server.signal(signal.SIGHUP)
        wait_until(lambda: not known & self.workers(), "the workers are others", 60)
        self.wait_until_it_serves()

    def wait_until_it_serves(self):
        def serves():
            with suppress(OSError, EOFError):
                return self.ask("/history/recall/nobody/")[0] in (200, 503)
            return False

        wait_until(serves, "it serves", 60)


class Visitor:
    """Sends messages to a group while a client is away, and looks what that one gets."""

    def __init__(self, site, name, rule="size=1000"):
        self.site = site
        self.name = name
        self.rule = rule
        self.sent = 0

    def send(self, count=3, padding=0):
        query = f"first={self.sent}&count={count}&padding={padding}&{self.rule}"
        status, _ = self.site.ask(f"/history/send/{self.name}/?{query}")
        if status == 200:
            self.sent += count
        return status

    def come(self, since=""):
        client = RawClient(self.site.server, timeout=30)
        client.open(f"/history/handler/{self.name}/?case=table&since={since}&{self.rule}")
        first = json.loads(client.read_text())
        return client, first

    def come_back(self, since):
        """What has become of the messages since a position."""
        client, first = self.come(since)
        try:
            if not first["recovered"]:
                return LOST
            start = int(since.partition(":")[2])
            for number in range(start, self.sent):
                assert json.loads(client.read_text())["data"].rstrip("x") == str(number)
            return KEPT
        finally:
            client.hang_up()


def see(visitor, fault, undo=lambda: None):
    """Messages before the fault are missed; what becomes of them, and of one that is sent then."""
    visitor.send()
    client, first = visitor.come()
    client.hang_up()
    visitor.send()
    fault()
    status = visitor.send(1)
    undo()
    outcome = visitor.come_back(first["position"])
    if status == 200:
        return outcome
    assert outcome == KEPT, "what was kept before is there afterwards"
    return REFUSED


# The rows


def kill_a_process(site, visitor):
    def kill():
        known = site.workers()
        for pid in known:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: pid not in site.workers(), "it is gone", 60)
            break
        wait_until(lambda: len(site.workers()) == len(known), "there is another one", 60)
        site.wait_until_it_serves()

    return see(visitor, kill)


def start_all_anew(site, visitor):
    return see(visitor, site.start_anew)


def start_the_machine_anew(site, visitor):
    """The file says of which start of the machine it is; nothing else of it is left."""

    def start():
        path = site.server.run_directory / "groups.sqlite3"
        if path.exists():
            with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
                connection.execute("UPDATE machine SET boot = 'an earlier one'")
        site.start_anew()

    return see(visitor, start)


def wait_for_redis(site, visitor):
    """Until each worker knows that it is there."""
    back = set()

    def serves():
        status, body = site.ask(f"/history/recall/{visitor.name}/")
        back.update({json.loads(body)["pid"]} if status == 200 else ())
        return back == site.workers()

    wait_until(lambda: visitor.send(1) == 200, "it is there", 30)
    wait_until(serves, "each worker knows that", 30)


def start_redis_anew(site, visitor):
    def start():
        if site.redis is not None:
            site.redis.kill()
            site.redis.start()
            wait_for_redis(site, visitor)

    return see(visitor, start)


def take_redis_away(site, visitor):
    if site.redis is None:
        return see(visitor, lambda: None)

    def give_back():
        site.redis.resume()
        wait_for_redis(site, visitor)

    return see(visitor, site.redis.pause, give_back)


def fill_the_disk(site, visitor):
    """No process can make a file longer."""
    limits = {}

    def fill():
        for pid in site.workers():
            limits[pid] = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limits[pid][1]))

    def clear():
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)

    try:
        return see(visitor, fill, clear)
    finally:
        clear()


def read_slowly(site, visitor):
    client, first = visitor.come()
    client.shrink_receive_buffer(32768)
    mark = site.server.log.mark()

    def is_closed():
        visitor.send(20, 20_000)
        return "WebSocket closed with 1013" in site.server.log.text(mark)

    wait_until(is_closed, "it is closed", 60)
    client.hang_up()
    since, got = first["position"], []
    while len(got) < visitor.sent:  # more than may wait is missed: it goes on behind what came
        client, _ = visitor.come(since)
        with suppress(EOFError):
            while len(got) < visitor.sent and (frame := client.read_frame()).opcode == TEXT:
                told = json.loads(frame.payload)
                since = told["position"]
                got.append(int(told["data"].rstrip("x")))
        client.hang_up()
    assert got == [*range(visitor.sent)]
    return KEPT


def stay_away_for_long(site, visitor):
    visitor.rule = "size=10"
    return see(visitor, lambda: visitor.send(20))


ROWS = {
    "a process is killed": kill_a_process,
    "all processes are started anew": start_all_anew,
    "the machine is started anew": start_the_machine_anew,
    "Redis is started anew without persistence": start_redis_anew,
    "Redis is away": take_redis_away,
    "the disk is full": fill_the_disk,
    "a slow reader is closed with 1013": read_slowly,
    "a client is away for longer than the history": stay_away_for_long,
}


@contextmanager
def run(start_server, backend, redis):
    setting, workers = BACKENDS[backend]
    row = row_of_workers("gunicorn-gthread", workers)
    settings = {**SETTINGS, "WEBSOCKET_GROUPS": setting or redis.setting}
    server = start_server(row, settings)
    try:
        yield Site(server, redis)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def find_site(start_server, tmp_path_factory):
    """find_site(backend) → one server for all cells of a column."""
    from ..servers.redis import RedisServer

    with_redis, sites, opened = [], {}, []

    def find(backend):
        if backend not in sites:
            redis = None
            if backend == "Redis":
                redis = RedisServer(tmp_path_factory.mktemp("r"))
                redis.start()
                with_redis.append(redis)
            opened.append(run(start_server, backend, redis))
            sites[backend] = opened[-1].__enter__()
        return sites[backend]

    yield find
    for one in opened:
        one.__exit__(None, None, None)
    for redis in with_redis:
        redis.kill()


def test_every_row_is_a_case():
    assert [row[0] for row in TABLE.rows] == [*ROWS]
    assert {*COLUMNS} == {*BACKENDS}
    assert {outcome for _, _, outcome in CELLS} == {KEPT, LOST, REFUSED}


@pytest.mark.parametrize(("row", "column", "outcome"), CELLS)
def test_cell(find_site, row, column, outcome):
    site = find_site(column)
    visitor = Visitor(site, f"table-{COLUMNS.index(column)}-{[*ROWS].index(row)}")
    assert ROWS[row](site, visitor) == outcome
