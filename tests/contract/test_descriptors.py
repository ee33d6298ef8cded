"""Many clients that vanish: no view is left running, no descriptor is left open."""

import pytest

from ..raw_client import BINARY, build_frame
from ..servers.process import count_descriptors, wait_until
from .conftest import Echo

CLIENTS = 200
HALF_A_MESSAGE = build_frame(BINARY, bytes(100_000))[:50_000]


def test_clients_that_reset_in_mid_message(server, open_websocket, new_client, journal, case, echo):
    pid = warm_up(open_websocket, journal, case, echo)
    before = count_descriptors(pid)
    for _ in range(CLIENTS):
        client = open_websocket(echo.path)
        client.send_bytes(HALF_A_MESSAGE)
        client.reset()
    check_all_gone(pid, before, CLIENTS, journal, case)


@pytest.mark.parametrize("mount", ["", "/middleware-last"])
def test_clients_that_close(server, open_websocket, journal, case, mount, echo):
    pid = warm_up(open_websocket, journal, case, echo)
    before = count_descriptors(pid)
    for _ in range(50):
        client = open_websocket(mount + echo.path)
        client.send_close()
        client.read_close()
        assert client.read_to_eof() == b""
        client.hang_up()
    check_all_gone(pid, before, 50, journal, case)


@pytest.mark.rows(asgi=True)  # where select gets one that is made for it
def test_views_that_select(server, open_websocket, journal, case):
    echo = Echo("/echo/", "returned")
    pid = warm_up(open_websocket, journal, case, echo)
    before = count_descriptors(pid)
    for _ in range(10):
        client = open_websocket("/select/")
        assert client.read_text() == "idle"
        client.hang_up()
    check_all_gone(pid, before, 10, journal, case)


def warm_up(open_websocket, journal, case, echo):
    """What a server opens once, it has opened after one connection."""
    client = open_websocket(echo.path)
    client.send_text("warm")
    client.read_text()
    client.send_close()
    client.read_close()
    client.read_to_eof()
    client.hang_up()
    journal.wait(case, "ended")
    return journal.wait(case, "started")["pid"]


def check_all_gone(pid, before, count, journal, case):
    journal.wait(case, "ended", count=count + 1, timeout=10)
    assert len(journal.events(case, "started")) == count + 1
    wait_until(
        lambda: count_descriptors(pid) <= before,
        f"the process has {before} descriptors again",
        timeout=10,
    )
