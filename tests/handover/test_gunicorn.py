"""gunicorn restarts its workers, and the clients of handlers notice nothing."""

import os
import re
import resource
import signal
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ..raw_client import BINARY, CLOSE, CONT, TEXT, Frame, RawClient, build_frame
from ..servers.process import list_children, wait_until
from ..servers.rows import GUNICORN, Row

WORKERS = {"gthread": ("--threads", "4"), "gevent": (), "sync": (), "asgi": ()}
#: Of these sync takes and gives as gthread does.
TRIED = WORKERS if "DWEBSOCKET_TEST_DEPLOYS" in os.environ else ("gthread", "gevent", "asgi")
SETTINGS = {
    "WEBSOCKET_DRAIN": 0.5,
    "WEBSOCKET_HANDOVER_TIMEOUT": 1,
    "WEBSOCKET_PING_INTERVAL": None,
    "WEBSOCKET_SEND_TIMEOUT": None,  # one of them reads nothing while workers start
}

#: A busy machine takes its time to start a worker.
TIMEOUT = 60

#: A worker ends when it has served so many requests, and not at the same time as another one.
SHARE = ("--max-requests", "40", "--max-requests-jitter", "150")


def make_row(worker, *options):
    name = " ".join((f"gunicorn-{worker}-moves", *options))
    patience = ("--graceful-timeout", "80", "--timeout", "80")
    kind = ("--worker-class", worker, *WORKERS[worker], "--workers", "2")
    # Not by -m: the master that USR2 starts would find modules in the folder of the package.
    program = [str(Path(sys.executable).with_name("gunicorn")), *GUNICORN[2:]]
    if worker == "asgi":
        program[1] = "tests.project.asgi:application"
    return Row(name, (*program, *patience, *kind, *options), package="gunicorn")


@pytest.fixture(scope="module")
def run(start_server):
    """Start a server, or take the one that runs already: whoever restarts its workers may."""
    servers = {}

    def start(row, **settings):
        if row.name not in servers:
            servers[row.name] = start_server(row, {**SETTINGS, **settings}, measured=False)
        return servers[row.name]

    yield start
    for server in servers.values():
        server.stop(30)


@pytest.fixture
def connect():
    clients = []

    def open_one(server, path, **request):
        client = RawClient(server, timeout=TIMEOUT)
        clients.append(client)
        client.open(path, **request)
        return client

    yield open_one
    for client in clients:
        client.hang_up()


def find_pid(client):
    client.send_text("pid")
    return int(client.read_text().removeprefix("pid "))


def fetch(server, path):
    """A page, from whichever worker."""
    client = RawClient(server, timeout=TIMEOUT)
    try:
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        return client.read_response()
    finally:
        client.hang_up()


def reload(server):
    """Restart all workers; those that there were."""
    if "asgi" in server.row.name:
        wait_until(lambda: all_listen(server), "all workers have started", TIMEOUT)
    before = set(list_children(server.pid))
    server.signal(signal.SIGHUP)
    return before


def all_listen(server):
    """Whether each worker has loaded the site: with uvloop they take no signal before."""
    log = server.log.text()
    return log.count("ASGI server listening") >= log.count("Booting worker with pid")


def wait_for_end(server, pids):
    wait_until(lambda: not pids & set(list_children(server.pid)), "the old workers end", TIMEOUT)


def wear_out(server, workers):
    """Ask for pages until one of these workers has served its share, and is gone. No more: the
    other one would have nobody to go to.
    """

    def find_worn():
        with suppress(OSError, EOFError):
            fetch(server, "/plain/")
        found = re.findall(r"\[(\d+)\] \[INFO\] Autorestarting worker", server.log.text())
        return workers & set(map(int, found))

    wait_until(find_worn, "one has served its share", TIMEOUT)
    worn = find_worn()
    wait_until(lambda: not worn & set(list_children(server.pid)), "it ends", TIMEOUT)
    return worn


def compress(text):
    encoder = zlib.compressobj(wbits=-15)
    data = encoder.compress(text.encode()) + encoder.flush(zlib.Z_SYNC_FLUSH)
    return build_frame(TEXT, data[:-4], rsv=4)


DEFLATE = {
    "Sec-WebSocket-Extensions": "permessage-deflate; "
    "client_no_context_takeover; server_no_context_takeover"
}


@pytest.mark.parametrize("worker", TRIED)
def test_reload(run, connect, redis_server, worker):
    """What goes, and what has its own end. One of them has its groups on Redis."""
    redis = {"WEBSOCKET_GROUPS": redis_server.setting} if worker == "gevent" else {}
    server = run(make_row(worker), **redis)
    since = server.log.mark()
    rooms = [connect(server, "/moving/room/a/") for _ in range(8)]
    half, fragment, slow, quiet, closing = (connect(server, "/moving/fine/") for _ in range(5))
    small = connect(server, "/moving/room/b/", headers=DEFLATE)
    hows = ("long", "raise", "interrupt", "fail", "busy")
    left = {how: connect(server, f"/moving/{how}/") for how in hows}
    left["view"] = connect(server, "/echo/")
    for client in (
        half,
        fragment,
        slow,
        quiet,
        closing,
        *[left[how] for how in left if how != "view"],
    ):
        assert client.read_text() == "open"
    for client in rooms:
        client.send_text("a")
        assert client.read_text() == "1 a"
    frame = build_frame(TEXT, "half a frame")
    half.send_bytes(frame[:9])
    fragment.send_frame(TEXT, "frag", fin=False)
    slow.shrink_receive_buffer(1 << 16)
    slow.send_text("fill")
    left["busy"].send_text("wait")
    assert left["busy"].read_text() == "waits"
    left["busy"].send_text("not beside that")
    closing.send_text("close")
    assert closing.read_close() == Frame(CLOSE, b"\x10\xe1done")
    small.send_bytes(compress("s" * 5000))
    small.read_frame()

    old = reload(server)
    # What cannot go, and what goes wrong, has its own end.
    codes = {how: client.read_close(TIMEOUT).close_code for how, client in left.items()}
    assert codes == {**dict.fromkeys(left, 1012), "fail": 1011}
    assert closing.read_to_eof() == b""  # it has not answered in time
    wait_for_end(server, old)

    for client in rooms:
        client.send_text("b")
        assert client.read_text() == "2 b"
        assert find_pid(client) not in old
    half.send_bytes(frame[9:])
    fragment.send_frame(CONT, "ment")
    found = [client.read_text() for client in (half, half, fragment, fragment, quiet)]
    assert found == ["resumed fine", "half a frame", "resumed fine", "fragment", "resumed fine"]
    while (found := slow.read_frame()) == Frame(BINARY, bytes(1 << 19)):
        pass
    assert found == Frame(TEXT, b"full")
    assert slow.read_text() == "resumed fine"
    small.send_bytes(compress("t" * 5000))
    answer = small.read_frame()
    assert answer.rsv == 4
    decoder = zlib.decompressobj(-15)
    assert decoder.decompress(answer.payload + b"\0\0\xff\xff") == b"2 " + b"t" * 5000

    assert fetch(server, "/moving/send/a/0/50/").status == 200
    for client in rooms:
        assert [client.read_text().split()[1] for _ in range(50)] == [*map(str, range(50))]
    for words in ("bytes of JSON, and 65536 are kept at most", "no state today", "cannot go on"):
        server.log.wait_for(words, since)
    wait_until(lambda: server.log.text(since).count("Traceback") >= 3, "all is logged", TIMEOUT)
    assert server.log.text(since).count("Traceback") == 3


@pytest.mark.parametrize("worker", TRIED if TRIED is WORKERS else TRIED[:1])
def test_tls_does_not_go(run, connect, worker):
    """What OpenSSL knows of a connection stays in its process."""
    files = ("--certfile", "{certificate}", "--keyfile", "{key}")
    row = replace(make_row(worker), name=f"gunicorn-{worker}-moves-tls", tls_arguments=files)
    server = run(row)
    since = server.log.mark()
    clients = [connect(server, "/moving/fine/") for _ in range(5)]
    for client in clients:
        assert client.read_text() == "open"
    old = reload(server)
    assert {client.read_close(TIMEOUT).close_code for client in clients} == {1012}
    for client in clients:
        client.send_close(1012)
        assert client.read_to_eof() == b""
    wait_for_end(server, old)
    assert "Traceback" not in server.log.text(since)


def test_max_requests(run, connect):
    """A worker that has served its share hands its connections to the other one."""
    server = run(make_row("gthread", *SHARE))
    wait_until(lambda: len(list_children(server.pid)) == 2, "both workers are there", TIMEOUT)
    before, owners = set(list_children(server.pid)), {}

    def find_owners():
        client = connect(server, "/moving/room/a/")
        owners[client] = find_pid(client)
        return set(owners.values())

    for _ in range(10):
        find_owners()
    # One of them may still be loading the site; the other one's share is not to be used up by then.
    wait_until(lambda: len(find_owners()) == 2, "both serve", TIMEOUT, pause=2)
    assert before >= set(owners.values())
    gone = wear_out(server, set(owners.values()))
    for client in owners:
        client.send_text("a")
        assert client.read_text() == "1 a"
        assert find_pid(client) not in gone


def test_a_successor_that_is_killed(run, connect, tmp_path):
    """It has the connections already, and not begun: they go on in the old one, and to the next."""
    server = run(make_row("gthread"))
    since = server.log.mark()
    (tmp_path / "killer").touch()
    killer = connect(server, "/moving/fine/")
    killer.send_text(f"kill {tmp_path / 'killer'}")
    assert [killer.read_text() for _ in range(2)] == ["open", f"kill {tmp_path / 'killer'}"]
    # Those that go together with it. What another worker gives may have begun by then.
    several = [connect(server, "/moving/room/killed/") for _ in range(18)]
    rooms = [client for client in several if find_pid(client) == find_pid(killer)]
    for client in rooms:
        client.send_text("a")
        assert client.read_text() == "1 a"
    old = reload(server)
    wait_for_end(server, old)
    assert not (tmp_path / "killer").exists()
    assert killer.read_text() == "resumed fine"
    for client in rooms:
        client.send_text("b")
        assert client.read_text() == "2 b"
        assert find_pid(client) not in old
    server.log.wait_for("that it had taken and not begun to serve: they go on here", since)


def test_a_successor_with_few_descriptors(run, connect):
    """It takes those for whom it has room, and leaves some to others; the rest come again."""
    server = run(make_row("gthread"))
    rooms = [connect(server, "/moving/room/few/") for _ in range(90)]
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (48, limits[1]))
    try:
        old = reload(server)
        wait_for_end(server, old)
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    went = []
    for client in rooms:
        client.send_text("a")
        if (found := client.read_frame()) == Frame(TEXT, b"1 a"):
            went.append(client)
        else:
            assert found == Frame(CLOSE, b"\x03\xf4")
    assert 0 < len(went) < len(rooms)
    # The next ones have room, for these and for new ones.
    old = reload(server)
    wait_for_end(server, old)
    for client in [*went, connect(server, "/moving/room/few/")]:
        client.send_text("b")
        assert client.read_text() == ("2 b" if client in went else "1 b")


def test_a_new_master_and_the_end(run, connect, tmp_path):
    """USR2 starts a second gunicorn beside the first. Nobody waits for a handler that is busy, and
    it goes when it is done, or when it has been opened. When all ends nobody takes over, and nobody
    waits for one.
    """
    server = run(make_row("gthread", "--log-level", "info"), WEBSOCKET_HANDOVER_TIMEOUT=40)
    clients = [connect(server, "/moving/room/a/") for _ in range(6)]
    pipe, other_pipe = tmp_path / "pipe", tmp_path / "other"
    os.mkfifo(pipe)
    os.mkfifo(other_pipe)
    opening = connect(server, f"/moving/fine/?pipe={other_pipe}")
    busy = connect(server, "/moving/fine/")
    busy.send_text(f"read {pipe}")
    assert busy.read_text() == "open"
    workers = set(list_children(server.pid))
    server.signal(signal.SIGUSR2)
    wait_until(lambda: set(list_children(server.pid)) - workers, "the new one starts", TIMEOUT)
    [master] = set(list_children(server.pid)) - workers
    server.terminate()
    for number in range(1, 1000):
        clients[0].send_text("a")
        assert clients[0].read_text() == f"{number} a"
        if find_pid(clients[0]) not in workers:
            break
    assert set(list_children(server.pid)) & workers  # that of the busy one at least
    pipe.write_text("done")
    assert [busy.read_text() for _ in range(2)] == ["done", "resumed fine"]
    other_pipe.write_text("done")
    assert [opening.read_text() for _ in range(2)] == ["open", "resumed fine"]
    server.wait(TIMEOUT)
    for client in clients[1:]:
        client.send_text("a")
        assert client.read_text() == "1 a"
    assert {find_pid(client) for client in clients} <= set(list_children(master))
    os.kill(master, signal.SIGTERM)
    for client in clients:
        assert client.read_frame(TIMEOUT) == Frame(CLOSE, b"\x03\xe9")
