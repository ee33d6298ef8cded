"""Processes with handlers come and go, and every connection stays open."""

import os
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.servers.process import ROOT, freeze, wait_until

from .processes import Gateway, wait_for_line

TIMEOUT = 30


@pytest.fixture(scope="module")
def gateway():
    gateway = Gateway("--grace", "30")
    yield gateway
    gateway.stop()


@pytest.fixture
def handlers(gateway):
    """A process with handlers that is there alone at first."""
    command = gateway.start_handlers(wait_for=1)
    yield command
    gateway.stop_handlers()


def ask(client, message):
    client.send(message)
    return client.recv(TIMEOUT)


@pytest.mark.parametrize("path", ["/counter/", "/async/"])
def test_a_connection_goes_on_in_another_process(gateway, handlers, path):
    with connect(gateway.url(path)) as client:
        first = ask(client, "a").split()
        assert first[:2] == ["1", "a"]
        assert int(first[-1]) == handlers.pid
        assert handlers.stop() == 0
        gateway.settle()
        client.send("b")  # while there is nobody
        other = gateway.start_handlers(wait_for=1)
        second = client.recv(TIMEOUT).split()
        assert second[:2] == ["2", "b"]
        assert int(second[-1]) == other.pid


def test_without_on_resume_it_is_opened_again(gateway, handlers):
    with connect(gateway.url("/reopened/?as=again")) as client:
        assert client.recv(TIMEOUT) == f"open {handlers.pid}"
        handlers.terminate()
        other = gateway.start_handlers(wait_for=1)
        assert client.recv(TIMEOUT) == f"open {other.pid}"
        assert "CLOSED" not in handlers.log.text()
    wait_for_line(other, "CLOSED again 1000")


def test_a_call_that_runs_is_finished_first(gateway, handlers, tmp_path):
    end = tmp_path / "end"
    with connect(gateway.url("/slow/")) as client:
        other = gateway.start_handlers(wait_for=2)
        client.send(str(end))
        client.send(str(end))
        wait_for_line(handlers, "BEGUN")
        handlers.terminate()
        gateway.wait_for_handlers(1)  # the front knows that this one leaves
        end.touch()
        assert client.recv(TIMEOUT) == f"done {handlers.pid}"
        assert client.recv(TIMEOUT) == f"done {other.pid}"


def test_a_view_cannot_go_on_elsewhere(gateway, handlers):
    with connect(gateway.url("/view/")) as client:
        assert ask(client, "a") == f"a {handlers.pid}"
        handlers.terminate()
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(TIMEOUT)
    assert caught.value.rcvd.code == 1012


def test_too_much_to_keep_is_an_error(gateway, handlers):
    with connect(gateway.url("/too-much/")) as client:
        assert ask(client, "a") == "a"
        handlers.terminate()
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(TIMEOUT)
    assert caught.value.rcvd.code == 1011
    wait_for_line(handlers, "65536 are kept at most")


def test_a_client_that_leaves_while_there_is_nobody_is_told_of_later(gateway, handlers):
    with connect(gateway.url("/reopened/?as=left")) as client:
        client.recv(TIMEOUT)
        assert handlers.stop() == 0
        gateway.settle()
    wait_for_line(gateway.start_handlers(wait_for=1), "CLOSED left 1000")


def test_a_killed_process_loses_nothing(gateway, handlers):
    """What it had worked on, and not said so, comes twice, and the handler can see that."""
    with connect(gateway.url("/counter/")) as client:
        assert ask(client, "a").split()[:3] == ["1", "a", "0"]
        other = gateway.start_handlers(wait_for=2)
        freeze(handlers.pid)
        client.send("b")
        handlers.process.kill()
        found = [client.recv(TIMEOUT).split()]
        if found[0][1] == "a":  # killed before it had said that it was done with it
            assert found[0][2] == "1"
            found.append(client.recv(TIMEOUT).split())
        assert found[-1][1:] == ["b", "1", str(other.pid)]


def test_the_front_says_1012_at_its_end_and_the_handlers_find_the_next(gateway, handlers):
    with connect(gateway.url("/counter/")) as client:
        ask(client, "a")
        assert gateway.front.stop() == 0
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(TIMEOUT)
    assert caught.value.rcvd.code == 1012
    gateway.start_front()
    gateway.wait_for_handlers(1)
    with connect(gateway.url("/counter/")) as client:
        assert ask(client, "b").split()[:2] == ["1", "b"]


def test_code_that_changes_is_loaded_anew_and_connections_stay():
    """As runserver does it, without options."""
    gateway = Gateway(front=False)
    try:
        gateway.start_front(part=None)
        with connect(gateway.url("/counter/")) as client:
            sent, pids = 0, set()

            def change():
                """Once more: what changes before the reloader first looks it does not notice."""
                nonlocal sent
                os.utime(ROOT / "tests" / "gateway" / "urls.py")
                sent += 1
                count, _, redelivered, pid = ask(client, str(sent)).split()
                assert (count, redelivered) == (str(sent), "0")
                pids.add(pid)
                return len(pids) > 1

            wait_until(change, "another process answers", TIMEOUT, pause=0.3)
        assert gateway.front.stop() == 0
    finally:
        gateway.stop()


def test_many_talk_while_handlers_are_replaced(gateway, handlers):
    """None is closed, nothing is lost, doubled or out of order."""
    counts, stop = {}, threading.Event()

    def talk(number):
        with connect(gateway.url("/counter/")) as client:
            sent = 0
            while not stop.wait(0.01):  # what they cost, starting processes do not get
                sent += 1
                assert ask(client, f"m{sent}").split()[:3] == [str(sent), f"m{sent}", "0"]
            counts[number] = sent

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    running = handlers
    for _ in range(3):
        following = gateway.start_handlers(wait_for=2)
        assert running.stop() == 0
        gateway.wait_for_handlers(1)
        running = following
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT)
    assert len(counts) == 8
