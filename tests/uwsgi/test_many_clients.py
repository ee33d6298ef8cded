"""Through the router to gevent: all are served at once, and when they are gone nothing is left."""

import itertools
import os
import re

from ..raw_client import RawClient
from ..servers.process import count_descriptors, wait_for_descriptors
from ..servers.rows import UWSGI_ROUTER, uwsgi

CLIENTS = int(os.environ.get("DWEBSOCKET_TEST_CLIENTS", "100"))
ROW = uwsgi(
    "uwsgi-gevent-600",
    *UWSGI_ROUTER,
    *("--gevent", "600", "--gevent-early-monkey-patch", "--listen", "100"),
)
FORBIDDEN = re.compile(r"headers already sent|Bad file descriptor|EBADF|SIGPIPE|Broken pipe|write")
#: Rounds until what uWSGI, gevent and malloc keep for good is there, rounds that are measured, and
#: how often: what is lost is lost each time, while malloc may now and then need a further page.
WARMING, MEASURED, TIMES = 20, 10, 4
#: Bytes a connection. One that is not given back holds several times as much.
LEAK = 2048


def test_clients_that_echo_and_reset(run_server, journal, monkeypatch):
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # it takes memory of its own
    server = run_server(ROW, {"WEBSOCKET_PING_INTERVAL": None})  # they are read one by one
    visits = (f"visit-{number}" for number in itertools.count())

    def visit_again(times):
        for name in itertools.islice(visits, times):
            visit(server, name)
            journal.wait(name, "ended", count=CLIENTS, timeout=30)

    visit_again(WARMING)
    pid = journal.wait("visit-0", "started")["pid"]
    descriptors, mark = count_descriptors(pid), server.log.mark()

    def grows():
        before = resident_memory(pid)
        visit_again(MEASURED)
        wait_for_descriptors(pid, descriptors, 20)
        return resident_memory(pid) - before >= CLIENTS * MEASURED * LEAK

    assert not all(grows() for _ in range(TIMES))
    assert not server.log.find_faults(mark)
    assert not FORBIDDEN.search(ours(server.log.text(mark))), server.log.text(mark)


def visit(server, case):
    clients = [RawClient(server, timeout=20) for _ in range(CLIENTS)]
    for client in clients:
        client.open(f"/echo/?case={case}")
    for number, client in enumerate(clients):
        client.send_text(f"client {number}")
    for number, client in enumerate(clients):
        assert client.read_text() == f"client {number}"
    for client in clients:
        client.reset()


def ours(text):
    """The log without the router's lines about its own clients."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("[uwsgi-http key"))


def resident_memory(pid):
    """Bytes."""
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
