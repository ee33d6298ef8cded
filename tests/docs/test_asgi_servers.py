"""The page on ASGI servers: what its table says of each, that server does."""

import inspect
import re
import subprocess
from contextlib import suppress

import daphne.server
import hypercorn.config
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from ..raw_client import PING
from ..servers.process import wait_until
from .asgi_servers import NAMES, ROWS, close_of, make_probed_project, open_raw, said, serve  # noqa: F401
from .conversations import TIMEOUT, check_echo, open_websocket
from .pages import code_in
from .projects import environment
from .test_asgi import COUNT, count_after, state_of
from .test_servers import TABLE, codes_of, configure

MEBIBYTE = 1 << 20


def test_the_page_is_about_the_servers_of_the_index():
    assert list(ROWS) == NAMES
    assert [row for row in TABLE.rows if "asgi" in row[1]] == list(ROWS.values())


@pytest.mark.parametrize("name", NAMES)
def test_what_the_server_decides(name, project):
    configure(project, "WEBSOCKET_MAX_MESSAGE_SIZE = None")
    with serve(name, project) as server:
        check_what_a_view_holds(server, name)
        check_compression(server, name)
        check_refusal(server, name)
        check_close_codes(server, name)
        check_headers(server, name)
        check_empty_message(server, name)
        check_longest_message(server, name)


def check_what_a_view_holds(server, name):
    assert ROWS[name][2] == "a thread of its own; nothing if async"
    assert count_after(server, "/view/") >= COUNT
    assert count_after(server, "/echo/") < COUNT / 2


def check_compression(server, name):
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    client, response = open_raw(server, "/echo/", headers=offer)
    client.hang_up()
    agreed = "sec-websocket-extensions" in response.headers
    assert agreed == said("Compression", name).startswith("yes")


def check_refusal(server, name):
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{server.port}/nowhere/").__enter__()
    response = caught.value.response
    if said("A refusal", name) == "is your answer":
        assert response.status_code == 404
        assert b"Page not found" in response.body
    else:
        assert said("A refusal", name) == "is a bare 403"
        assert (response.status_code, response.body) == (403, b"")


def check_close_codes(server, name):
    free, own = (close_of(open_websocket(server, [f"/{path}/"])) for path in ("closes", "broken"))
    if said("Your close codes", name) == "arrive":
        assert (free, own) == ((4001, "Log in first"), (1011, ""))
    else:
        assert "for 1011 comes 4011, and so on; without reasons" in said("Your close codes", name)
        assert (free, own) == ((4001, ""), (4011, ""))
    with open_websocket(server, ["/listens/"]) as websocket:
        websocket.close(4002, "Bye")
    wait_until(lambda: state_of(server, "codes")["codes"], "the view ends", timeout=TIMEOUT)
    told = {"arrive": [4002, "Bye"], "are 1006": [1006, ""]}
    expected = told.get(said("The client's close codes", name), [4002, ""])
    assert state_of(server, "codes")["codes"] == [expected]


def check_headers(server, name):
    with open_websocket(server, ["/cookie/"]) as websocket:
        sent = websocket.response.headers.get("Set-Cookie")
    assert sent == ("a=b" if said("Headers of `accept()`", name) == "are sent" else None)


def check_empty_message(server, name):
    websocket = open_websocket(server, ["/empty/"])
    if said("Your empty messages", name) == "arrive":
        assert websocket.recv(TIMEOUT) == ""
    assert close_of(websocket)[0] == 1000


def check_longest_message(server, name):
    size = int(re.match(r"(\d+) MiB", said("Longest message", name))[1]) * MEBIBYTE
    options = {"max_size": None, "compression": None}
    with open_websocket(server, ["/echo/"], **options) as websocket:
        websocket.send(b"x" * size)
        assert len(websocket.recv(60)) == size  # unmasked in Python by some
    with open_websocket(server, ["/echo/"], **options) as websocket:
        with suppress(ConnectionClosed):
            websocket.send(b"x" * (size + 1))
        close_of(websocket)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if said("Views are then", name) == "ended"]
)
def test_views_end_at_sigterm(name, project):
    with (
        serve(name, project) as server,
        open_websocket(server, ["/waits/"]) as view,
        open_websocket(server, ["/handler-waits/"]) as handler,
    ):
        for websocket in (view, handler):
            check_echo(websocket)
        server.terminate()
        server.wait()
        for who in ("view", "handler"):
            assert f"the {who} has ended" in server.log


@pytest.mark.parametrize("name", NAMES)
def test_codes_at_sigterm_are_those_of_the_index(name):
    """test_servers.py starts each row of the index."""
    assert codes_of(said("At SIGTERM clients get", name)) == codes_of(ROWS[name][4])


def test_graceful_timeout():
    timeout = hypercorn.config.Config().graceful_timeout
    said_of_it = f"after `--graceful-timeout` ({timeout:.0f} s)"
    assert said_of_it in said("At SIGTERM clients get", "hypercorn")


# Pings

PINGING = [name for name in NAMES if said("Pings", name) != "none"]


@pytest.mark.parametrize("name", PINGING)
def test_pings(name, project):
    dropped = said("Who does not answer them", name)
    options = [f"{option} 1" for cell in (said("Pings", name), dropped) for option in code_in(cell)]
    with serve(name, project, *options) as server:
        client, _ = open_raw(server, "/echo/")
        assert client.read_frame(timeout=TIMEOUT).opcode == PING
        if dropped == "stays":
            assert client.read_frame(timeout=TIMEOUT).opcode == PING
        else:
            client.read_to_eof()
        client.hang_up()


def test_pings_by_default():
    config = uvicorn.Config("mysite.asgi:application")
    parameters = inspect.signature(daphne.server.Server).parameters
    found = {
        "uvicorn": (config.ws_ping_interval, config.ws_ping_timeout),
        "daphne": (parameters["ping_interval"].default, parameters["ping_timeout"].default),
    }
    for name, (interval, timeout) in found.items():
        assert f"every {interval:.0f} s" in said("Pings", name)
        assert f"after {timeout:.0f} s" in said("Who does not answer them", name)
    assert hypercorn.config.Config().websocket_ping_interval is None
    assert "unless you set" in said("Pings", "hypercorn")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PINGING])
def test_there_is_no_option_for_pings(name):
    result = subprocess.run(
        [name, "--help"], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert re.search(r"--(ws|websocket)\b", result.stdout)
    assert not re.search(r"--(ws|websocket)\S*ping", result.stdout)
