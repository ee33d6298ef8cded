"""Many idle handlers over TLS that the server ends, which has two threads: HTTPS goes on, and each
of them costs what OpenSSL takes for it.

DWEBSOCKET_TEST_IDLE=2000 opens so many; the suite has fewer.
"""

import os
import re
from pathlib import Path

import pytest

from ..servers.process import count_descriptors, wait_for_descriptors, wait_until_joined
from ..servers.rows import gunicorn

COUNT = int(os.environ.get("DWEBSOCKET_TEST_IDLE", "100"))

#: Of these so many are enough to tell what one takes; of few the allocator's habits are a part.
MANY, KIB, KIB_OF_FEW = 1000, 40, 80

ROW = gunicorn(
    *("gunicorn-two-threads-tls", "--worker-class", "gthread", "--threads", "2"), tls=True
)


@pytest.fixture(scope="session")
def row():
    return ROW


@pytest.fixture(scope="session")
def server(row, start_server):
    settings = {"WEBSOCKET_PING_INTERVAL": None, "WEBSOCKET_MAX_CONNECTIONS": COUNT + 100}
    process = start_server(row, settings, measured=False)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


def read_memory(pid):
    """What the process has, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1])


@pytest.mark.timeout(600)
def test_many_idle_handlers(server, visitors, journal, case):
    visitors.open("/echo/")
    pid = journal.wait(case, "started")["pid"]
    for _ in range(20):
        visitors.open("/handler/echo/quietly/")
    wait_until_joined(server, pid)
    descriptors, before = count_descriptors(pid), read_memory(pid)
    idle = []
    for number in range(COUNT):
        client, response = visitors.ask("/handler/dropping/idle/")
        assert response.status == 101
        idle.append(client)
        if number % 20 == 0:
            assert visitors.get("/plain/") == b"plain"
    taken = (read_memory(pid) - before) / COUNT
    print(f"{COUNT} idle handlers over TLS take {taken:.1f} KiB each")
    assert taken < (KIB if COUNT >= MANY else KIB_OF_FEW)
    for client in idle[:: COUNT // 20]:
        client.send_text("still here")
        assert "idle" in client.read_text()
    for client in idle:
        client.hang_up()
    wait_for_descriptors(pid, descriptors)
