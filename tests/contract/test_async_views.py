"""Async views and handlers, on servers with an event loop."""

import pytest

from ..raw_client import BINARY, CLOSE, TEXT, Frame, build_close, build_frame
from .test_after_the_view import check_not_served, smuggle

pytestmark = pytest.mark.rows(asgi=True)

ECHOES = {
    "/async/echo/": "returned",
    "/async/echo/receive/": "returned",
    "/async/accepting/": "returned",
    "/async/accepts-itself/": "returned",
    "/async/handler/echo/": "on_close",
    "/middleware-last/async/echo/": "returned",
    "/middleware-first/async/handler/echo/": "on_close",
}
OFFER = {"Sec-WebSocket-Protocol": "chat"}
echoes = pytest.mark.parametrize("path", ECHOES)
leaves = pytest.mark.parametrize("leave", ["close", "hang_up", "reset"])


def go(client, leave):
    if leave == "close":
        client.send_close(4001, "bye")
    else:
        getattr(client, leave)()


@pytest.mark.elsewhere(
    path=["/async/echo/", "/async/accepts-itself/", "/middleware-first/async/handler/echo/"]
)
@echoes
def test_echo(server, row, open_websocket, address, journal, case, path):
    client = open_websocket(path, headers=OFFER)
    client.send_text("Grüße")
    assert client.read_text() == "Grüße"
    for size in (1, 126, 65536, 1 << 20):
        client.send_frame(BINARY, b"\xff" * size)
        assert client.read_frame() == Frame(BINARY, b"\xff" * size)
    client.send_bytes(b"".join(build_frame(TEXT, f"{number}") for number in range(300)))
    assert [client.read_text() for _ in range(300)] == [f"{number}" for number in range(300)]
    client.send_bytes(build_close(4001, "bye") + smuggle(client, address))
    assert client.read_close().close_code == row.answered(4001)
    assert client.read_to_eof() == b""
    check_not_served(journal, case)
    [ended] = journal.events(case, "ended")
    assert ended["outcome"] == ECHOES[path]
    assert (ended["close_code"], ended["close_reason"]) == row.heard(4001, "bye")


@pytest.mark.elsewhere(path=["/async/echo/", "/async/handler/echo/"])
@leaves
@echoes
def test_client_that_leaves(server, row, open_websocket, journal, case, path, leave):
    client = open_websocket(path, headers=OFFER)
    client.send_text("last words")
    assert client.read_text() == "last words"
    go(client, leave)
    ended = journal.wait(case, "ended")
    assert ended["outcome"] == ECHOES[path]
    expected = {row.heard(4001)[0]} if leave == "close" else row.vanished
    assert ended["close_code"] in expected
    assert len(journal.events(case, "ended")) == 1


@pytest.mark.elsewhere(leave="reset")
@leaves
def test_view_that_does_not_ask_is_cancelled(server, open_websocket, journal, case, leave):
    """A while later, WEBSOCKET_CLOSE_TIMEOUT, so that a view that does hear can end by itself."""
    client = open_websocket("/async/deaf/")
    assert client.read_text() == "asleep"
    go(client, leave)
    assert journal.wait(case, "ended", timeout=20)["outcome"] == "CancelledError"
    assert len(journal.events(case, "ended")) == 1


@pytest.mark.rows(foreign=False)
@pytest.mark.parametrize("leave", ["hang_up", "reset"])
def test_a_client_that_leaves_behind_what_nobody_reads(
    server, open_websocket, journal, case, leave
):
    """Nothing more is read then, so the end does not come by itself."""
    client = open_websocket("/async/deaf/")
    assert client.read_text() == "asleep"
    client.send_bytes(build_frame(TEXT, "x" * 1000) * 200)
    go(client, leave)
    assert journal.wait(case, "ended", timeout=20)["outcome"] == "CancelledError"


def test_receive_in_time(server, open_websocket):
    client = open_websocket("/async/receive-in-time/")
    assert client.read_text() == "timed out"
    client.send_text("after the time-out")
    assert client.read_text() == "after the time-out"
    assert client.read_close().close_code == 1000


def test_plain_http(server, new_client, address):
    client = new_client()
    client.send_request(address("/async/accepting/"), websocket=False)
    response = client.read_response()
    assert (response.status, response.body) == (200, b"plain")


def test_view_chooses_whether_to_accept(server, row, new_client, address):
    response = new_client().open(address("/async/accepts-itself/"), headers=OFFER)
    assert response.headers["sec-websocket-protocol"] == "chat"
    refused = new_client()
    refused.send_request(address("/async/accepts-itself/?refuse=1"), headers=OFFER)
    response = refused.read_response()
    assert (response.status, response.body) == (403, b"the room is full" if row.denies else b"")


def test_view_closes(server, row, open_websocket, journal, case):
    client = open_websocket("/async/close/")
    close = client.read_close()
    assert (close.close_code, close.close_reason) == row.shown(4000, "done")
    client.send_close(4000)
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["close_code"] == 4000


@pytest.mark.parametrize("path", ["/async/raising/", "/async/handler/raising/"])
def test_error_is_logged_once(server, row, open_websocket, journal, case, path):
    mark = server.log.mark()
    client = open_websocket(path)
    client.send_text("go")
    assert client.read_close().close_code == row.shown(1011)[0]
    client.send_close(1011)
    assert client.read_to_eof() == b""
    journal.wait(case, "ended")
    words = f"DeliberateError: must not reach the socket: {path}"
    server.log.wait_for(words, since=mark)
    assert server.log.text(mark).count(words) == 1
    assert len(journal.events(case, "ended")) == 1
    assert len(journal.events(case, "error")) == ("handler" in path)


@pytest.mark.rows(paces=True)
def test_client_that_does_not_read(tuned_server, open_websocket, journal, case):
    """asend() fails after WEBSOCKET_SEND_TIMEOUT, which is 1 second here."""
    open_websocket("/async/flood/", tuned_server)
    ended = journal.wait(case, "ended", timeout=10)
    assert (ended["outcome"], ended["close_code"]) == ("ConnectionClosed", 1006)


def test_view_that_only_sends_hears_of_the_end(
    server, open_websocket, new_client, address, journal, case
):
    """And stops nobody else, though its server may take all that it sends without waiting."""
    client = open_websocket("/async/flood/")
    client.read_frame()
    client.reset()
    other = new_client()
    other.send_request(address("/async/accepting/"), websocket=False)
    assert other.read_response().body == b"plain"
    assert journal.wait(case, "ended")["outcome"] == "ConnectionClosed"


def test_database_is_released_before_waiting(
    server, open_websocket, journal, case, wait_for_release
):
    client = open_websocket("/async/querying/")
    pid = journal.wait(case, "started")["pid"]
    for _ in range(3):
        wait_for_release(pid)
        client.send_text("query")
        assert client.read_text() == "1"
    client.send_close()
    client.read_close()
    wait_for_release(pid)


@pytest.mark.elsewhere(leave="reset")
@leaves
def test_tasks_of_a_handler_end_with_its_connection(server, open_websocket, journal, case, leave):
    client = open_websocket("/async/handler/ticking/")
    assert [client.read_text() for _ in range(3)] == ["tick"] * 3
    for _ in range(2):  # the second one takes the place of the first
        client.send_text("sleeper")
        while client.read_text() != "sleeper started":
            pass
    assert journal.wait(case, "task") == {"case": case, "event": "task", "cancelled": True}
    go(client, leave)
    journal.wait(case, "ended")
    assert len(journal.events(case, "task")) == 2


@pytest.fixture(params=["memory", "redis"])
def server_with_groups(request, row):
    names = {"memory": "plain_server", "redis": "redis_backed_server"}
    return request.getfixturevalue(names[request.param])


@pytest.mark.elsewhere(server_with_groups="memory")
def test_groups(server_with_groups, open_websocket, new_client, address, case):
    """Views and handlers, async and not: one of each, and plain HTTP."""
    name = case.replace(":", "-")
    kinds = ("async/member", "async/handler/member", "group/view", "group/handler")
    members = [open_websocket(f"/{kind}/{name}/", server_with_groups) for kind in kinds]
    for member in members:
        assert member.read_text().startswith("member")
    members[0].send_text("from an async view")
    members[1].send_text("from an async handler")
    http = new_client(server_with_groups)
    http.send_request(address(f"/group/send/{name}/?text=from+HTTP"), websocket=False)
    assert http.read_response().body == b"4"
    for member in members:
        got = {member.read_text() for _ in range(3)}
        assert got == {"from an async view", "from an async handler", "from HTTP"}
    members[2].send_text('["close", 4001, "over"]')
    for member in members:
        frame = member.read_frame()
        assert (frame.opcode, frame.close_code) == (CLOSE, 4001)
