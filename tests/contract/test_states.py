"""What a WebSocket says of itself in each state of its life, all of it asked together.

From the moment at which an end is decided all answers agree, and none of them changes any more:
closed, the code and the reason of whoever was first, in no group, nothing can be sent.

A state is asked for by the view or the handler itself, and by plain HTTP from beside it, where the
server can answer that meanwhile: not one with a single thread or process, which the view holds.
"""

import json

import pytest

from ..raw_client import CLOSE, RawClient, build_close
from .test_closing import send_behind_the_close

pytestmark = pytest.mark.rows(pages=True)  # plain HTTP is asked of the site, too

VIEWS = ["view", "coroutine"]
KINDS = [*VIEWS, "handler", "async-handler"]

UNDECIDED = {"code": None, "reason": None}
NOT_ACCEPTED = {
    **UNDECIDED,
    "closed": False,
    "connected": False,
    "is_member": False,
    "send": ["InvalidState"],
}
OPEN = {**UNDECIDED, "closed": False, "connected": True, "is_member": True, "send": None}
TOO_SLOW = 1013, "the peer reads too slowly"


def closed(code, reason):
    """The state of a WebSocket that has ended so."""
    return {
        "closed": True,
        "connected": False,
        "code": code,
        "reason": reason,
        "is_member": False,
        "send": refused(code, reason),
    }


def refused(code, reason):
    """How send() fails, and wait() once it has returned None."""
    return ["ConnectionClosed", code, reason]


@pytest.fixture(params=KINDS)
def kind(request, row):
    """What holds the WebSocket."""
    if request.param in ("coroutine", "async-handler") and not row.coroutines:
        pytest.skip("greenlets share a thread, which no event loop may hold")
    return request.param


@pytest.fixture
def subject(open_websocket, kind):
    """A client of an open WebSocket that does nothing yet."""
    return open_websocket(f"/states/{kind}/")


@pytest.fixture
def ask(new_client, address):
    """The state that HTTP from beside the WebSocket sees."""

    def ask():
        client = new_client()
        headers = {"Connection": "close"}
        client.send_request(address("/states/ask/"), websocket=False, headers=headers)
        response = client.read_response()
        assert response.status == 200, response.body
        return json.loads(response.body)

    return ask


@pytest.fixture
def check_end(journal, case, kind):
    """The view or handler hears of the end once, and sees this state."""

    def check(state):
        ended = journal.wait(case, "ended")
        assert ended["state"] == state
        if kind in VIEWS:
            assert ended["received"] == refused(state["code"], state["reason"])
        assert len(journal.events(case, "ended")) == 1

    return check


@pytest.mark.parametrize("kind", VIEWS, indirect=True)  # a handler begins with the 101
@pytest.mark.parametrize("refuses", [False, True], ids=["accepted", "refused"])
def test_not_accepted(server, row, new_client, address, ask, journal, case, kind, refuses):
    """accept() has not been called, or has failed; then it works, or the view refuses."""
    client = new_client()
    path = f"/states/accepting/{kind}/" + ("?refuse=1" if refuses else "")
    client.send_request(address(path))
    assert client.read_response().status == (403 if refuses else 101)
    for event in ("before", "failed"):
        seen = journal.wait(case, event)
        assert (event, seen["state"], seen["received"]) == (event, NOT_ACCEPTED, ["InvalidState"])
    if refuses:
        assert ask() == NOT_ACCEPTED
    else:
        assert journal.wait(case, "accepted")["state"] == OPEN


def test_open(server, row, subject, ask, journal, case):
    subject.send_text("look")
    assert journal.wait(case, "looked")["state"] == OPEN
    assert subject.read_text() == "sent"
    if row.concurrent:
        assert ask() == OPEN
        assert subject.read_text() == "sent"


def test_closed_by_us(server, row, subject, ask, check_end, journal, case):
    """The peer has our Close and lets us wait; then it answers with a code of its own."""
    subject.send_text("close")
    assert subject.read_close().close_code == 4001
    if row.concurrent:
        assert ask() == closed(4001, "over")
    send_behind_the_close(row, subject, build_close(4002, "another"))
    assert journal.wait(case, "looked")["state"] == closed(4001, "over")
    check_end(closed(4001, "over"))


@pytest.mark.parametrize("code", [4002, None])
def test_closed_by_the_peer(server, row, subject, ask, check_end, code):
    subject.send_frame(CLOSE, b"" if code is None else b"\x0f\xa2bye")
    state = closed(*(row.heard(1005) if code is None else row.heard(4002, "bye")))
    check_end(state)
    subject.read_to_eof()
    assert ask() == state


@pytest.mark.rows(paces=True)  # otherwise all that waits does so in the server's own memory
def test_slow_reader(server, row, subject, ask, check_end, journal, case):
    """It is closed as soon as too much waits for it, long before the Close can leave."""
    subject.shrink_receive_buffer()
    subject.send_text("flood")
    assert journal.wait(case, "looked")["state"] == closed(*TOO_SLOW)
    if row.concurrent:
        assert ask() == closed(*TOO_SLOW)
    subject.reset()
    check_end(closed(*TOO_SLOW))


@pytest.mark.parametrize("leave", ["hang_up", "reset"])
def test_broken(server, row, subject, ask, check_end, journal, case, leave):
    subject.send_text("look")
    assert subject.read_text() == "sent"
    getattr(subject, leave)()
    found = journal.wait(case, "ended")["state"]
    assert found["code"] in row.vanished
    state = closed(found["code"], found["reason"])
    check_end(state)
    assert ask() == state


@pytest.mark.rows(ends_views=True)  # otherwise nobody is left whom one could ask
def test_the_server_is_told_to_end(row, start_server, journal, case):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    server = start_server(row)
    try:
        clients = [RawClient(server) for _ in KINDS]
        for client, kind in zip(clients, KINDS, strict=True):
            client.open(f"/states/{kind}/?case={case}-{kind}")
            client.send_text("look")
            assert client.read_text() == "sent"
        server.terminate()
        codes = [client.read_close().close_code for client in clients]
        for client in clients:
            client.hang_up()
        states = [journal.wait(f"{case}-{kind}", "ended")["state"] for kind in KINDS]
        server.wait(timeout=20)
    finally:
        server.kill()
    server.log.join()
    assert not server.log.find_faults(), server.log.text()
    assert set(codes) <= {1001, 1012}
    seen = [closed(code, state["reason"]) for code, state in zip(codes, states, strict=True)]
    assert dict(zip(KINDS, states, strict=True)) == dict(zip(KINDS, seen, strict=True))
