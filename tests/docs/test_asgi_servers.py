"""The page on ASGI servers: what its table says of each, that server does."""

import re
import subprocess
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from ..raw_client import PING
from ..servers.process import wait_until
from .asgi_servers import (  # noqa: F401
    KEEPING,
    NAMES,
    ROWS,
    TAKEN,
    close_of,
    make_probed_project,
    open_raw,
    said,
    serve,
)
from .conversations import TIMEOUT, check_echo, open_websocket
from .pages import code_in, page
from .projects import environment
from .test_asgi import COUNT, count_after, state_of
from .test_servers import ASGI, TABLE, configure

MEBIBYTE = 1 << 20


def test_the_page_is_about_the_servers_of_the_index():
    assert [row for row in TABLE.rows if "asgi" in row[1]] == sorted(
        ROWS.values(), key=TABLE.rows.index
    )
    for name in TAKEN:
        assert name in ASGI.text[: ASGI.text.index("The connection **stays")]


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
    assert response.status_code == 404
    assert b"Page not found" in response.body


def check_close_codes(server, name):
    free, own = (close_of(open_websocket(server, [f"/{path}/"])) for path in ("closes", "broken"))
    assert (free, own) == ((4001, "Log in first"), (1011, ""))
    with open_websocket(server, ["/listens/"]) as websocket:
        websocket.close(4002, "Bye")
    wait_until(lambda: state_of(server, "codes")["codes"], "the view ends", timeout=TIMEOUT)
    arrives = said("The client's close codes", name) == "arrive"
    assert state_of(server, "codes")["codes"] == [[4002, "Bye" if arrives else ""]]


def check_headers(server, name):
    with open_websocket(server, ["/cookie/"]) as websocket:
        sent = websocket.response.headers.get("Set-Cookie")
    assert sent == ("a=b" if said("Headers of `accept()`", name) == "are sent" else None)


def check_empty_message(server, name):
    websocket = open_websocket(server, ["/empty/"])
    assert websocket.recv(TIMEOUT) == ""
    assert close_of(websocket)[0] == 1000


def check_longest_message(server, name):
    own = re.match(r"(\d+) MiB", said("Longest message", name))
    size = int(own[1]) * MEBIBYTE if own else 17 * MEBIBYTE
    options = {"max_size": None, "compression": None}
    with open_websocket(server, ["/echo/"], **options) as websocket:
        websocket.send(b"x" * size)
        assert len(websocket.recv(60)) == size
    if own is None:
        assert code_in(said("Longest message", name)) == ["WEBSOCKET_MAX_MESSAGE_SIZE"]
        return
    with open_websocket(server, ["/echo/"], **options) as websocket:
        with suppress(ConnectionClosed):
            websocket.send(b"x" * (size + 1))
        close_of(websocket)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if said("Views are, at SIGTERM", name) == "ended"]
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


# Pings


@pytest.mark.parametrize("name", TAKEN)
def test_pings(name, project):
    settings = [said(matter, name) for matter in ("Pings", "Who does not answer them")]
    configure(project, "\n".join(f"{code_in(cell)[0]} = 1" for cell in settings))
    with serve(name, project) as server:
        client, _ = open_raw(server, "/echo/")
        assert client.read_frame(timeout=TIMEOUT).opcode == PING
        client.read_to_eof()
        client.hang_up()


def test_pings_by_default():
    defaults = {
        code_in(row[0])[0]: row[1]
        for row in page("docs/reference/settings.md").table("Setting").rows
    }
    for matter, words in [("Pings", "every {} s"), ("Who does not answer them", "after {} s")]:
        (setting,) = code_in(said(matter, TAKEN[0]))
        (default,) = code_in(defaults[setting])
        assert words.format(default) in said(matter, TAKEN[0])


@pytest.mark.parametrize("name", KEEPING)
def test_there_is_no_option_for_pings(name):
    assert said("Pings", name) == "none"
    result = subprocess.run(
        [name, "--help"], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert re.search(r"--(ws|websocket)\b", result.stdout)
    assert not re.search(r"--(ws|websocket)\S*ping", result.stdout)
