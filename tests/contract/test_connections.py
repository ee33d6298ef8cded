"""Whoever asks is told of what is open on the server, whatever carries and serves it."""

import pytest

from dwebsocket import Group, connections

from ..asking import among
from ..engine_client import EngineClient
from ..servers.process import wait_until

TEXT = "x" * 1000


@pytest.fixture
def only(server, request):
    """The connections of this test, by their path: other tests' may still be closing."""
    with among(server):
        yield lambda path, **wanted: [
            one for one in connections.list(timeout=5, **wanted) if one.path == path
        ]


KINDS = {
    "/echo/": "view",
    "/async/echo/": "async view",
    "/handler/echo/": "handler",
    "/async/handler/echo/": "async handler",
}


def wait_for_new(only, path, before):
    """The one that was not among those before. The first one of a process has that be asked, a
    little later.
    """
    wait_until(lambda: {one.id for one in only(path)} - before, "it is told of", timeout=30)
    (found,) = [one for one in only(path) if one.id not in before]
    return found


def opened(row, only, open_websocket, path):
    before = {one.id for one in only(path)}
    client = open_websocket(path)
    client.send_text(TEXT)
    assert client.read_text() == TEXT
    return client, wait_for_new(only, path, before)


@pytest.mark.elsewhere(path="/handler/echo/")
@pytest.mark.parametrize("path", KINDS)
def test_what_is_told(row, only, open_websocket, path):
    if "async" in path and not row.coroutines:
        pytest.skip("no coroutines here")
    client, found = opened(row, only, open_websocket, path)
    assert found.kind == KINDS[path]
    assert found.view.startswith("tests.project.views.")
    assert (found.received, found.sent) == (1, 1)
    assert found.address in ("127.0.0.1", None)  # a proxy's Unix socket has none
    assert 0 < found.age < 60
    # What the client has may be the server's still, for a moment.
    wait_until(lambda: [one.waiting for one in only(path) if one.id == found.id] == [0], "all left")
    assert (found.user, found.groups) == (None, ())
    if found.bytes_in is not None:
        assert found.bytes_in > len(TEXT)
        assert found.bytes_out > len(TEXT)
    client.send_close()
    client.read_close()
    wait_until(lambda: found.id not in {one.id for one in only(path)}, "it is not told of any more")


@pytest.mark.rows(typical=True, concurrent=True)
def test_what_polls_is_told_once_whatever_carries_it(server, only, address):
    path = "/handler/echo/"
    engine = EngineClient(server, address(path), resume=True)
    before = {one.id for one in only(path)}
    engine.open_polls()
    found = wait_for_new(only, path, before)
    assert (found.transport, found.kind) == ("polling", "handler")
    engine.upgrade()
    engine.send("4over")
    assert engine.read() == "4over"
    (later,) = [one for one in only(path) if one.id not in before]
    assert (later.id, later.transport) == (found.id, "websocket")
    assert connections.close(ids=[found.id], code=4001, reason="enough", timeout=5) == 1
    while not isinstance(code := engine.read(), int):
        pass
    assert code == 4001
    engine.hang_up()


def test_closing_one_of_them(row, only, open_websocket):
    path = "/handler/echo/"
    client, found = opened(row, only, open_websocket, path)
    if row.concurrent:
        other = open_websocket(path)
    assert connections.close(ids=[found.id], code=4001, reason="enough", timeout=5) == 1
    closing = client.read_close()
    assert (closing.close_code, closing.close_reason) == (4001, "enough" if row.reasons else "")
    if row.concurrent:
        other.send_text("here")
        assert other.read_text() == "here"


def test_members_everywhere(row, only, open_websocket, case):
    client = open_websocket("/group/handler/counted/")
    client.read_text()
    wait_until(lambda: Group("counted").count(timeout=5) >= 1, "it is counted")
    found = connections.list(group="counted", timeout=5)
    assert "counted" in {name for one in found for name in one.groups}
