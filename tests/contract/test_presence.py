"""Presence: handlers hear of it between their other calls, however their server waits."""

import json
import re

import pytest

from ..servers.process import wait_until

pytestmark = pytest.mark.rows(concurrent=True)

kinds = pytest.mark.parametrize("kind", ["plain", "coroutine"])


@pytest.fixture(params=["machine"])
def server(request, row):
    """By default that of the test project's settings."""
    names = {"machine": "plain_server", "redis": "redis_backed_server"}
    return request.getfixturevalue(names[request.param])


with_redis = pytest.mark.parametrize("server", ["machine", "redis"], indirect=True)


@pytest.fixture
def name(case):
    return case.replace(":", "-")


@pytest.fixture
def join(row, open_websocket, name):
    """Be present under a key."""

    def join(kind, key):
        if kind == "coroutine" and not row.coroutines:
            pytest.skip("there are no coroutines here")
        return open_websocket(f"/presence/{kind}/{name}/?key={key}")

    return join


def read_until(client, keys, picture=None):
    """What the client's picture is when these are present."""
    picture = {} if picture is None else picture
    while picture.keys() != set(keys):
        told = json.loads(client.read_text())
        picture.update(map(tuple, ((key, str(info)) for key, info in told["joined"])))
        for key, _ in told["left"]:
            del picture[key]
        assert told["count"] == len(picture)
        assert told["language"] == "de"
    return picture


def check_calls(journal, case, count):
    wait_until(lambda: len(journal.events(case, "ended")) == count, "all have ended")
    assert not journal.events(case, "overlap")


@pytest.mark.rows(pages=True)
@pytest.mark.elsewhere(kind="plain")
@kinds
def test_everybody_hears_of_everybody(server, join, new_client, address, journal, case, name, kind):
    ada = join(kind, "7")
    picture = read_until(ada, [7])
    bob, zoe = join(kind, "bob"), join("view", "zoe")
    assert read_until(ada, [7, "bob", "zoe"], picture)["zoe"] == "None"
    assert read_until(bob, [7, "bob", "zoe"])[7] == "{'as': '7'}"
    zoe.send_text("views hear of nobody")
    assert zoe.read_text() == "views hear of nobody"
    client = new_client()
    path = address(f"/presence/present/{name}/")
    client.send_request(path, websocket=False, headers={"Connection": "close"})
    found = json.loads(client.read_response().body)["present"]
    assert sorted(map(str, found)) == sorted(
        ["[7, {'as': '7'}]", "['bob', {'as': 'bob'}]", "['zoe', None]"]
    )
    for client in (ada, bob, zoe):
        client.hang_up()
    check_calls(journal, case, 3)


@with_redis
@pytest.mark.rows(typical=True)
@kinds
def test_calls_do_not_overlap(server, join, journal, case, kind):
    keys = ["ada"]
    ada = join(kind, "ada")
    picture = read_until(ada, keys)
    for number in range(3):
        for _ in range(3):
            ada.send_text("work")
        keys.append(f"other {number}".replace(" ", "-"))
        join("view", keys[-1])
        read_until(ada, keys, picture)
    ada.send_close(1000)
    ended = journal.wait(case, "ended")
    assert not journal.events(case, "overlap"), ended


@pytest.mark.rows(typical=True)
@kinds
def test_what_it_raises_ends_its_connection(server, row, join, journal, case, name, kind):
    mark = server.log.mark()
    ada = join(kind, "ada")
    read_until(ada, ["ada"])
    join("view", "bad")
    assert json.loads(ada.read_text())["joined"] == [["bad", None]]
    assert ada.read_close().close_code == row.shown(1011)[0]
    ada.send_close(1011)
    assert journal.wait(case, "ended")["close_code"] == 1011
    assert [event["raised"] for event in journal.events(case, "error")] == ["DeliberateError"]
    assert not journal.events(case, "overlap")
    path = re.escape(f"/presence/{kind}/{name}/")
    pattern = f"^ERROR django.request: Internal Server Error: {path}$"
    server.log.wait_for(pattern, mark)
    assert len(re.findall(pattern, server.log.text(mark), re.M)) == 1, server.log.text(mark)


@pytest.mark.rows(typical=True, asgi=[True, False])
def test_a_history_that_is_gone(server, new_client, open_websocket, address, case, name):
    def keep(text):
        client = new_client()
        path = address(f"/presence/keep/{name}/?text={text}")
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        assert client.read_response().status == 200

    member = open_websocket(f"/presence/losing/{name}/")
    assert member.read_text() == "member"
    keep("first")
    assert member.read_text() == "first"
    for file in server.run_directory.glob("groups.sqlite3*"):
        file.unlink(missing_ok=True)  # SQLite removes some by itself
    keep("second")
    told = {member.read_text(), member.read_text()}  # the handler is called beside the group
    assert told == {f"lost {name}", "second"}
