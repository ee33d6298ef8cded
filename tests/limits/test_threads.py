"""The system has no further thread for a view: 503, and nothing behind a 101."""

import json
import re

import pytest

from ..raw_client import PING
from ..servers.process import wait_until
from .conftest import Visitors, open_in_the_end, rows

#: So many views, and one more is refused: those that got no thread do not count. Two of an earlier
#: test may not have noticed yet that their clients have left.
VIEWS = 4
SETTINGS = {"WEBSOCKET_VIEW_THREADS": VIEWS}


@pytest.fixture(scope="session")
def flag(tmp_path_factory):
    """As long as it is there, no thread starts whose name begins with what it holds."""
    return tmp_path_factory.mktemp("threads") / "forbidden"


@pytest.fixture(scope="session")
def server(row, start_server, flag):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DWEBSOCKET_TEST_NO_THREADS", str(flag))
        process = start_server(row, SETTINGS)
    yield process
    process.stop()
    assert "refused with 503" in process.log.text()
    assert not process.log.find_faults()


def count_threads(visitors, name):
    """How many of this name the server has."""
    return json.loads(visitors.get("/census/"))["threads"].count(name)


@rows("gunicorn-gthread", "cheroot", "waitress", "uwsgi-threads", "uvicorn")
@pytest.mark.parametrize("path", ["/echo/", "/async/echo/quietly/"])
def test_a_view_without_a_thread_is_refused(row, server, visitors, flag, path):
    if row.asgi and path.startswith("/async/"):
        pytest.skip("the server's loop runs it")
    before = open_in_the_end(visitors, path)
    mark = server.log.mark()
    # Under ASGI it has the one that has answered the handshake.
    kind = "dwebsocket-handshake" if row.asgi else "dwebsocket-view"
    if not row.asgi:  # one that a view has left would serve the next one, for a while
        text = "no thread waits for a view"
        wait_until(lambda: count_threads(visitors, kind) <= 1, text)
    flag.write_text(kind)
    try:
        for _ in range(VIEWS + 1):
            client, response = visitors.ask(path)
            assert response.status == 503
            assert b"TasksMax" in response.body
            assert client.read_to_eof() == b""
        assert visitors.get("/plain/") == b"plain"
    finally:
        flag.unlink()
    assert server.log.text(mark).count("refused with 503") <= 1  # said once in a while
    open_in_the_end(visitors, path)
    before.send_text("still here")
    assert before.read_text() == "still here"


@pytest.fixture
def fresh_server(row, start_server, flag):
    """One none of whose threads has been needed yet, but those of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DWEBSOCKET_TEST_NO_THREADS", str(flag))
        process = start_server(row, {"WEBSOCKET_PING_INTERVAL": 0.3, "WEBSOCKET_PING_TIMEOUT": 3})
    yield process
    process.kill()


@rows("runserver", "gunicorn-gthread", "gevent-pywsgi", "uwsgi-threads", "uvicorn")
def test_no_thread_of_ours_starts_for_a_while(row, fresh_server, case, flag):
    """Who comes meanwhile is refused, or served when there is one; then all is as ever."""
    visitors = Visitors(fresh_server, case)
    flag.write_text("dwebsocket")
    try:
        early = [visitors.ask(path) for path in ("/handler/echo/", "/echo/") * 4]
    finally:
        flag.unlink()
    assert {response.status for _, response in early} <= {101, 503}
    accepted = [client for client, response in early if response.status == 101]
    for client in accepted:
        client.send_text("hello")
    later = [open_in_the_end(visitors, path) for path in ("/handler/echo/", "/echo/")]
    for client in accepted:
        assert client.read_text() == "hello"
    for client in later:  # who does not answer Pings is dropped, but by uvicorn
        if not row.asgi:
            assert client.read_frame().opcode == PING
            client.read_to_eof()
    last = open_in_the_end(visitors, "/handler/echo/")
    fresh_server.terminate()
    if row.says_goodbye:
        assert last.read_close().close_code in row.goodbye
    fresh_server.wait(20)


@pytest.fixture
def crowded_server(row, start_server):
    """It finds quickly that clients have left, and takes few views."""
    pings = {"WEBSOCKET_PING_INTERVAL": 0.2, "WEBSOCKET_PING_TIMEOUT": 0.5}
    process = start_server(row, {**SETTINGS, **pings})
    yield process
    process.kill()
    assert not process.log.find_faults()


@rows("gunicorn-gthread", "uwsgi-threads", "waitress", "uvicorn")
def test_views_that_outlive_their_clients_are_named(row, crowded_server, case):
    visitors = Visitors(crowded_server, case)
    for number in range(VIEWS):
        client, response = visitors.ask(f"/sleeping/{number}/")
        assert response.status == 101
        client.hang_up()
    words = f"This process runs {VIEWS} WebSocket views, {VIEWS} of them for clients that have left"

    def asks():
        client, response = visitors.ask("/sleeping/late/")
        assert response.status == 503
        client.hang_up()
        return words in response.body.decode()

    wait_until(asks, "the 503 tells of views without clients", timeout=20)
    line = rf"^WARNING dwebsocket\.handshake: .*: {words}, .* The oldest: (.*)$"
    named = crowded_server.log.wait_for(line)[1]
    assert len(set(re.findall(r"/sleeping/\d/ \(\d+ s\)", named))) == 3
    assert visitors.get("/plain/") == b"plain"
    visitors.leave()
