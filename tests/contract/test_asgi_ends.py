"""A thousand clients at once: they vanish, or the server ends under them. Nothing stays behind."""

import json
import socket
import struct
from itertools import cycle, islice

import pytest

from ..raw_client import TEXT, build_frame, build_request
from ..servers.process import (
    count_descriptors,
    wait_for_descriptors,
    wait_until,
    wait_until_joined,
)
from .test_gunicorn_ends import read_goodbyes

pytestmark = pytest.mark.rows(asgi=True, tls=False)

#: How many on each server; on the others fewer.
COUNTS = {"uvicorn": 1000}
FEW = 100

#: Views with and without a thread, handlers of both kinds, with tasks, members of groups, and who
#: never asks for anything. One in ten holds a thread.
IDLE = [
    "/async/echo/",
    "/handler/echo/",
    "/async/handler/echo/",
    "/async/member/crowd/",
    "/group/handler/crowd/",
    "/async/handler/member/crowd/",
    "/async/handler/ticking/",
    "/async/deaf/",
    "/async/echo/receive/",
    "/echo/",
]
#: Who sends all the time, and who answers.
BUSY = [
    "/async/pushing/",
    "/async/handler/pushing/",
    "/handler/echo/",
    "/async/handler/echo/",
    "/async/echo/",
    "/push/",
]
BURST = b"".join(build_frame(TEXT, "x" * 100) for _ in range(20))

#: The beginnings of the names of threads that stay for a while: who hears other processes, who
#: reads, who looks after connections.
KEPT = ("dwebsocket-machine", "dwebsocket-loop", "dwebsocket-pace", "dwebsocket-sweeper")

#: Objects that one connection takes, at most.
OF_ONE = 40

#: Seconds for what happens to a thousand connections, on a machine that does much else.
GRACE = 30


@pytest.fixture
def own_server(row, start_server):
    server = start_server(row, measured=False)
    yield server
    server.kill()


@pytest.fixture
def count(row):
    return COUNTS.get(row.name, FEW)


def open_all(server, paths, case):
    """A socket for each path, whose view or handler has begun."""
    sockets = []
    for path in paths:
        sock = socket.create_connection((server.host, server.port), GRACE)
        sock.sendall(build_request(f"{path}?case={case}", f"{server.host}:{server.port}"))
        head = sock.recv(1000)
        assert head.startswith(b"HTTP/1.1 101"), head
        sockets.append(sock)
    return sockets


def drop(sockets):
    """All at once: every second one by RST, the others by FIN."""
    for sock in sockets[::2]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for sock in sockets:
        sock.close()


def take_census(server):
    """What the server's process has of threads and tasks."""
    with socket.create_connection((server.host, server.port), GRACE) as sock:
        headers = {"Connection": "close"}
        sock.sendall(build_request("/census/", "localhost", websocket=False, headers=headers))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def count_objects(server):
    """Those of the package, but for what a thread that reads knows of the last connection."""
    found = take_census(server)
    return found["objects"] - OF_ONE * sum(name.startswith(KEPT) for name in found["threads"])


def test_all_clients_drop(own_server, count, journal, case):
    drop(open_all(own_server, IDLE, f"{case}-warm"))
    journal.wait(f"{case}-warm", "ended", count=len(IDLE))
    before = wait_for_idleness(own_server)
    wait_until_joined(own_server, before["pid"])
    descriptors = count_descriptors(before["pid"])
    sockets = open_all(own_server, islice(cycle(IDLE), count), case)
    journal.wait(case, "started", count=count, timeout=GRACE)
    drop(sockets)
    journal.wait(case, "ended", count=count, timeout=GRACE)
    wait_for_idleness(own_server, before)
    # Not at once: gunicorn's asgi worker remembers a connection for some seconds.
    few = before["objects"] + len(IDLE)
    wait_until(lambda: count_objects(own_server) <= few, "no object is left", timeout=GRACE)
    assert len(journal.events(case, "ended")) == count
    wait_for_descriptors(before["pid"], descriptors)
    own_server.stop()
    assert not own_server.log.find_faults(), own_server.log.text()


def wait_for_idleness(server, before=None):
    """The census when no thread of ours is left but those that a process keeps, and nothing else
    either that was not there.
    """
    found = {}

    def is_idle():
        found.update(take_census(server))
        known = before or found
        found["threads"] = [name for name in found["threads"] if not name.startswith(KEPT)]
        ours = [name for name in found["threads"] if name.startswith("dwebsocket")]
        return not ours and all(
            len(found[what]) <= len(known[what]) for what in ("threads", "tasks")
        )

    try:
        wait_until(is_idle, "nothing is left", timeout=GRACE)
    except AssertionError as error:
        raise AssertionError(f"{error}: {found}") from None
    return found


def test_sigterm_under_load(own_server, row, count, journal, case):
    sockets = open_all(own_server, islice(cycle(BUSY), count // 2), case)
    journal.wait(case, "started", count=len(sockets), timeout=GRACE)
    for sock in sockets:
        sock.sendall(BURST)
    own_server.terminate()
    ends = {received[-4:] for received in read_goodbyes(sockets, timeout=GRACE)}
    assert row.foreign or ends <= {struct.pack("!BBH", 0x88, 2, code) for code in row.goodbye}
    own_server.wait(timeout=GRACE)
    own_server.log.join()
    assert not own_server.log.find_faults(), own_server.log.text()
    if row.ends_views:
        journal.wait(case, "ended", count=len(sockets))
