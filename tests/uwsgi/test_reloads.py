"""uWSGI reloads, or recycles a worker, and the clients of handlers notice nothing."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ..raw_client import CLOSE, Frame, RawClient
from ..servers.process import list_children, wait_until
from ..servers.rows import UWSGI_ROUTER, UWSGI_SOCKET, uwsgi

#: A busy machine takes its time to load a site.
TIMEOUT = 60
#: What uWSGI logs of a file.
NOTICED = "has been touched"
SETTINGS = {"WEBSOCKET_HANDOVER_TIMEOUT": 40, "WEBSOCKET_PING_INTERVAL": None}
MODES = {
    "threads": ("--nginx", "--threads", "4"),
    "gevent": (*UWSGI_SOCKET, "--gevent", "20", "--gevent-early-monkey-patch"),
}


@pytest.fixture
def run(start_server):
    servers = []

    def start(name, *options):
        row = uwsgi(name, *options, proxied="--nginx" in options)
        if row.missing:
            pytest.skip(f"{row.missing} is not installed")
        servers.append(start_server(row, SETTINGS, measured=False))
        return servers[-1]

    yield start
    for server in servers:
        server.stop(TIMEOUT)


@pytest.fixture
def connect():
    clients = []

    def open_one(server, path):
        client = RawClient(server, timeout=TIMEOUT)
        clients.append(client)
        client.open(path)
        return client

    yield open_one
    for client in clients:
        client.hang_up()


def ask(client, text):
    client.send_text(text)
    return client.read_text()


def fetch(server):
    """Whether a page is served."""
    with suppress(OSError, EOFError):
        client = RawClient(server, timeout=TIMEOUT)
        try:
            client.send_request("/plain/", websocket=False)
            return client.read_response().status == 200
        finally:
            client.hang_up()
    return False


def find_master(server):
    """uWSGI's own process, which has nginx beside it or not."""
    for pid in (server.pid, *list_children(server.pid)):
        if Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].endswith(b"uwsgi"):
            return pid
    raise AssertionError(f"it has not started; its log:\n{server.log.text()}")


def touch(server, path):
    """Touch a file, so that uWSGI notices: what it finds at its first look is no change to it, and
    it counts whole seconds.
    """
    number = server.log.text().count(NOTICED)
    deadline = time.monotonic() + TIMEOUT
    while server.log.text().count(NOTICED) == number:
        assert time.monotonic() < deadline, f"nothing is noticed; its log:\n{server.log.text()}"
        os.utime(path)
        with suppress(AssertionError):
            wait_until(lambda: server.log.text().count(NOTICED) > number, "noticed", 3)


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("mode", MODES)
def test_reload(run, connect, tmp_path, mode):
    touched = tmp_path / "touched"
    touched.touch()
    server = run(f"uwsgi-{mode}-moves", *MODES[mode], "--touch-reload", str(touched))
    rooms = [connect(server, "/moving/room/a/") for _ in range(4)]
    view = connect(server, "/echo/")
    assert [ask(room, "a") for room in rooms] == ["1 a"] * 4
    old = ask(rooms[0], "pid")

    if mode == "gevent":
        touch(server, touched)
    else:
        os.kill(find_master(server), signal.SIGHUP)
    assert view.read_close().close_code == 1012  # its code cannot go
    assert [ask(room, "b") for room in rooms] == ["2 b"] * 4
    assert old not in [ask(room, "pid") for room in rooms]

    os.kill(find_master(server), signal.SIGINT)  # nobody comes any more
    assert {room.read_frame() for room in rooms} == {Frame(CLOSE, b"\x03\xe9")}
    server.wait(TIMEOUT)


def find_pids(rooms):
    return {ask(room, "pid").removeprefix("pid ") for room in rooms}


def test_one_worker_after_the_other(run, connect, tmp_path):
    """A chain reload: while one worker is replaced the others serve."""
    touched = tmp_path / "touched"
    touched.touch()
    chain = ("--lazy-apps", "--processes", "2", "--threads", "2", "--touch-chain-reload")
    server = run("uwsgi-chain", *UWSGI_SOCKET, *chain, str(touched))
    rooms = [connect(server, "/moving/room/a/") for _ in range(8)]
    view = connect(server, "/echo/")
    old = find_pids(rooms)
    touch(server, touched)
    assert view.read_close().close_code == 1012
    assert [ask(room, "a") for room in rooms] == ["1 a"] * 8
    is_over = "chain reloading complete"
    wait_until(lambda: is_over in server.log.text(), "both are replaced", TIMEOUT)
    assert [ask(room, "b") for room in rooms] == ["2 b"] * 8
    assert not old & find_pids(rooms)


def find_open_to(number, pid):
    """The threads of a process that take this signal."""
    found = []
    for path in Path(f"/proc/{pid}/task").iterdir():
        try:
            lines = (path / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        status = dict(line.split(":\t", 1) for line in lines)
        if not int(status["SigBlk"], 16) >> (number - 1) & 1:
            found.append(int(path.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_thread_of_ours_takes_the_signal_that_ends_the_worker(run, connect, number):
    """uWSGI ends it in whichever thread has it, and only the first one can end."""
    server = run("uwsgi-signals", *UWSGI_SOCKET, "--processes", "1", "--threads", "3")
    room = connect(server, "/moving/room/a/")
    connect(server, "/echo/")
    worker = int(ask(room, "pid").removeprefix("pid "))
    assert len(list(Path(f"/proc/{worker}/task").iterdir())) > 5  # ours are among them
    assert find_open_to(number, worker) == [worker]


#: Why a worker is replaced: it has served its share, or is larger than this, as all are.
RECYCLING = {"requests": ("--max-requests", "15"), "memory": ("--reload-on-rss", "1")}


@pytest.mark.parametrize("reason", RECYCLING)
def test_a_recycled_worker(run, connect, reason):
    """uWSGI's own router goes on meanwhile, but not at a reload."""
    options = ("--processes", "2", "--enable-threads", "--min-worker-lifetime", "2")
    server = run(f"uwsgi-{reason}", *UWSGI_ROUTER, *options, *RECYCLING[reason])
    rooms = [connect(server, "/moving/room/a/") for _ in range(6)]
    pids = find_pids(rooms)

    def is_recycled():
        fetch(server)
        return not all(is_alive(pid) for pid in pids)

    wait_until(is_recycled, "a worker with connections is recycled", TIMEOUT)
    assert [ask(room, "a") for room in rooms] == ["1 a"] * 6
    # The other one may have had its share with the last page, and be on its way out.
    wait_until(lambda: all(is_alive(pid) for pid in find_pids(rooms)), "all are served", TIMEOUT)
    server.signal(signal.SIGHUP)
    assert {room.read_to_eof() for room in rooms} == {b""}
    # A signal that comes while it is loaded anew is lost.
    wait_until(lambda: fetch(server), "it serves again", TIMEOUT)
