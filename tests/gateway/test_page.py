"""What the page of django-ws says, line by line; a test is named after its line's words, which it
quotes.
"""

import os
import signal

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .processes import Gateway, wait_for_line

TIMEOUT = 30
HANDLERS = {
    "default": "tests.gateway.urls.First",
    "counter": "tests.gateway.urls.Counter",
    "endless": "tests.gateway.urls.Endless",
}


def ask(client, message):
    client.send(message)
    return client.recv(TIMEOUT)


@pytest.fixture(scope="module")
def gateway():
    """With namespaces, and the page's sockets, but for their directory."""
    gateway = Gateway(
        "--websocket-url",
        r"/socket/(?P<namespace>\w*)",
        settings={"DEFAULT_WS_HANDLERS": HANDLERS},
    )
    gateway.handlers = gateway.start_handlers()
    yield gateway
    gateway.stop()


def test_default_is_the_default_namespace(gateway):
    """«By default, works with namespaces, default is the default namespace.»"""
    with connect(gateway.url("/socket/")) as client:
        assert ask(client, "alone") == "open alone"


def test_a_namespace_is_a_part_of_the_address(gateway):
    """«--websocket-url="/socket/(?P<namespace>\\w*)"»"""
    with connect(gateway.url("/socket/counter")) as client:
        assert ask(client, "a").startswith("1 a ")


@pytest.mark.parametrize("path", ["/socket/unknown", "/elsewhere/"])
def test_what_nobody_serves_is_not_found(gateway, path):
    with pytest.raises(InvalidStatus) as caught, connect(gateway.url(path)):
        pass
    assert caught.value.response.status_code == 404


def test_the_first_message_is_received_by_on_open(gateway):
    """«If this method returns None or nothink, the same message is received by on_message.»"""
    with connect(gateway.url("/socket/")) as client:
        assert ask(client, "both") == "open both"
        assert client.recv(TIMEOUT) == "message both"
        assert ask(client, "next") == "message next"


@pytest.mark.parametrize("first", ["alone", "false"])
def test_true_or_false_keeps_it_from_on_message(gateway, first):
    """«If you do not need this behavior, return False or True on on_open method.»"""
    with connect(gateway.url("/socket/")) as client:
        assert ask(client, first) == f"open {first}"
        assert ask(client, "next") == "message next"


def test_on_close_is_called_when_the_connection_is_closed(gateway):
    """«on_close method is called on conection is closed, this method does not receive any
    message.»
    """
    with connect(gateway.url("/socket/")) as client:
        ask(client, "alone")
    wait_for_line(gateway.handlers, "CLOSED first")


def test_on_open_is_not_called_again_in_the_next_process():
    gateway = Gateway("--websocket-url", "/socket/", settings={"DEFAULT_WS_HANDLERS": HANDLERS})
    try:
        handlers = gateway.start_handlers()
        with connect(gateway.url("/socket/")) as client:
            assert ask(client, "alone") == "open alone"
            assert handlers.stop() == 0
            gateway.start_handlers()
            assert ask(client, "next") == "message next"
    finally:
        gateway.stop()


def test_one_command_at_the_pages_sockets_and_url(tmp_path):
    """«run_wsserver», «ipc:///tmp/ws_push», «ipc:///tmp/ws_sub» (elsewhere, for others test, too),
    «Default: /socket».
    """
    gateway = Gateway(front=False, settings={"DEFAULT_WS_HANDLERS": HANDLERS})
    try:
        sockets = ("--push-socket", f"ipc://{tmp_path}/ws_push")
        sockets += ("--sub-socket", f"ipc://{tmp_path}/ws_sub")
        gateway.start_front(*sockets, part="--noreload")
        gateway.wait_for_handlers(1)
        assert (tmp_path / "ws_push").stat().st_mode & 0o777 == 0o600
        with connect(gateway.url("/socket")) as client:
            assert ask(client, "alone") == "open alone"
        assert gateway.front.stop() == 0
    finally:
        gateway.stop()


@pytest.fixture(scope="module")
def own_front():
    """With the URLconf."""
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def own(own_front):
    """The same, without handlers at first."""
    yield own_front
    own_front.stop_handlers()


@pytest.mark.parametrize("way", ["--threaded", "--gevent"])
def test_every_connection_has_a_thread_or_a_greenlet(own, way):
    """«Every websocket connection creates and mantains one thread», «… one greenlet»: a method may
    loop for ever, and the client's Close ends it.
    """
    handlers = own.start_handlers(way)
    with connect(own.url("/endless/")) as first, connect(own.url("/endless/")) as second:
        first.send("go")
        second.send("go")
        for number in range(3):
            assert first.recv(TIMEOUT) == f"{handlers.pid} {number}"
            assert second.recv(TIMEOUT) == f"{handlers.pid} {number}"
        with connect(own.url("/counter/")) as third:
            assert ask(third, "a").startswith("1 a ")
    wait_for_line(handlers, "CLOSED endless 1000")


def test_a_process_for_each_connection(own):
    """«Same as --threaded but this mantains one python process for each websocket connection.»
    They are bounded; and one that is killed is none of the others' business.
    """
    own.run("--handlers", "1", "--multiprocess", "--max-processes", "3")
    own.wait_for_handlers(2)
    with connect(own.url("/counter/")) as first, connect(own.url("/counter/")) as second:
        pids = {int(ask(client, "a").split()[3]) for client in (first, second)}
        assert len(pids) == 2
        os.kill(int(ask(first, "b").split()[3]), signal.SIGKILL)
        assert ask(second, "b").split()[:2] == ["2", "b"]
        again = ask(first, "c").split()
        assert again[1] == "c" or first.recv(TIMEOUT).split()[1] == "c"
