"""The system has no further thread for a view: 503, and nothing behind a 101."""

import pytest

from .conftest import open_in_the_end, rows

#: Two views: those that were refused do not count.
SETTINGS = {"WEBSOCKET_VIEW_THREADS": 2}


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


@rows("gunicorn-gthread", "cheroot", "uwsgi-threads", "uvicorn")
@pytest.mark.parametrize("path", ["/echo/", "/async/echo/quietly/"])
def test_a_view_without_a_thread_is_refused(row, server, visitors, flag, path):
    if row.asgi and path.startswith("/async/"):
        pytest.skip("the server's loop runs it")
    before = open_in_the_end(visitors, path)
    mark = server.log.mark()
    flag.write_text("dwebsocket-view")
    try:
        for _ in range(3):
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
