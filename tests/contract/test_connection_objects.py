"""Calls of handlers leave nothing on Django's connection objects for those of other clients."""

import json
from itertools import cycle, islice

import pytest

pytestmark = [
    pytest.mark.rows(thorough=True, patched=True, database=True),
    pytest.mark.xdist_group("postgresql"),
]

NOTHING = {
    "attribute": None,
    "wrapper": 0,
    "autocommit": True,
    "atomic": False,
    "session": None,
}

everything = pytest.mark.parametrize("name", NOTHING)


@pytest.fixture
def server(postgresql_backed_server):
    return postgresql_backed_server


def ask(client, text="look"):
    """The thread or greenlet of the call; it must find nothing in any database."""
    client.send_text(text)
    where, *found = json.loads(client.read_text())
    assert found == [NOTHING] * 3
    return where


@everything
def test_the_next_call_finds_nothing_whosever_it_is(server, open_websocket, name):
    one, other = open_websocket("/postgresql/leaving/"), open_websocket("/postgresql/leaving/")
    left = set()
    for number in range(40):  # threads take turns: not all of them in the same order of calls
        left.add(ask(one, f"now {name}"))
        if any(ask(client) in left for client in islice(cycle([other, one]), 2 + number % 5)):
            break
    else:
        pytest.fail("they were never called in one place")


@everything
def test_nothing_is_left_by_on_close(server, open_websocket, journal, case, name):
    other = open_websocket("/postgresql/leaving/")
    for number in range(1, 4):
        client = open_websocket("/postgresql/leaving/")
        ask(client, f"then {name}")
        client.send_close()
        client.read_close()
        journal.wait(case, "ended", count=number)
        ask(other)


@everything
def test_nothing_is_left_by_a_handshake(server, row, open_websocket, name):
    """Not in a thread of the server's either."""
    places = []
    # Without coroutines each request has a greenlet; otherwise threads take turns.
    while len(places) < 10 or (row.coroutines and len(set(places)) == len(places)):
        open_websocket(f"/postgresql/leaving/?leave={name}").hang_up()
        client = open_websocket("/postgresql/finding/")
        where, found = json.loads(client.read_text())
        assert found == NOTHING
        client.hang_up()
        places.append(where)
        assert len(places) < 100, "they were never called in one place"
