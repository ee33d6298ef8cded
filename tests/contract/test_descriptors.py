"""Many clients that vanish: no view is left running, no descriptor is left open."""

import pytest

from ..raw_client import BINARY, build_frame
from ..servers.process import count_descriptors, wait_for_descriptors, wait_until_joined
from .conftest import Echo

CLIENTS = 20
HALF_A_MESSAGE = build_frame(BINARY, bytes(100_000))[:50_000]


def test_clients_that_reset_in_mid_message(server, open_websocket, new_client, journal, case, echo):
    pid = warm_up(server, open_websocket, journal, case, echo)
    before = count_descriptors(pid)
    for _ in range(CLIENTS):
        client = open_websocket(echo.path)
        client.send_bytes(HALF_A_MESSAGE)
        client.reset()
    check_all_gone(pid, before, CLIENTS, journal, case)


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", ["", "/middleware-last"])
def test_clients_that_close(server, open_websocket, journal, case, mount, echo):
    pid = warm_up(server, open_websocket, journal, case, echo)
    before = count_descriptors(pid)
    for _ in range(CLIENTS):
        client = open_websocket(mount + echo.path)
        client.send_close()
        client.read_close()
        assert client.read_to_eof() == b""
        client.hang_up()
    check_all_gone(pid, before, CLIENTS, journal, case)


@pytest.mark.rows(paces=True, cuts=True)
def test_clients_of_a_handler_that_read_nothing(tuned_server, row, open_websocket, journal, case):
    """They are hung up on, though they never will themselves, and their servers can end."""
    count = 3 if row.thorough else 1
    flood("/handler/flood/", tuned_server, open_websocket, journal, case, count)


@pytest.mark.rows(typical=True, paces=True, cuts=True, coroutines=True)
def test_clients_of_a_coroutine_that_read_nothing(tuned_server, open_websocket, journal, case):
    flood("/async/handler/flood/", tuned_server, open_websocket, journal, case)


def flood(path, server, open_websocket, journal, case, count=3):
    def connect(path):
        return open_websocket(path, server)

    echo = Echo("/handler/echo/", "on_close")  # starts a loop
    pid = warm_up(server, connect, journal, case, echo)
    before = count_descriptors(pid)
    clients = [connect(path) for _ in range(count)]
    for client in clients:
        client.send_text("1000000000")
    check_all_gone(pid, before, len(clients), journal, case)


@pytest.mark.rows(foreign=True)  # where select gets one that is made for it
def test_views_that_select(server, open_websocket, journal, case):
    echo = Echo("/echo/", "returned")
    pid = warm_up(server, open_websocket, journal, case, echo)
    before = count_descriptors(pid)
    for _ in range(10):
        client = open_websocket("/select/")
        assert client.read_text() == "idle"
        client.hang_up()
    check_all_gone(pid, before, 10, journal, case)


def warm_up(server, open_websocket, journal, case, echo):
    """What a server opens once, it has opened after one connection."""
    client = open_websocket(echo.path)
    client.send_text("warm")
    assert client.read_text() == "warm"
    client.send_close()
    client.read_close()
    client.read_to_eof()
    client.hang_up()
    journal.wait(case, "ended")
    pid = journal.wait(case, "started")["pid"]
    wait_until_joined(server, pid)
    return pid


def check_all_gone(pid, before, count, journal, case):
    journal.wait(case, "ended", count=count + 1, timeout=30)
    assert len(journal.events(case, "started")) == count + 1
    wait_for_descriptors(pid, before, timeout=30)
