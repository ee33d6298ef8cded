"""SIGTERM with open WebSockets of async views and handlers: the server ends in a few seconds."""

import pytest

from ..raw_client import RawClient
from .test_shutdown import check_end

pytestmark = pytest.mark.rows(coroutines=True, foreign=False)  # those say goodbye themselves


@pytest.mark.rows(thorough=True)  # beside other views on all of them: test_shutdown.py
def test_sigterm(row, start_server, journal):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    server = start_server(row)
    try:
        paths = ["/echo/async/", "/handler/async/"][: 2 if row.concurrent else 1]
        cases = [f"{row.name}:sigterm-{path}" for path in paths]
        clients = [RawClient(server) for _ in paths]
        for client, path, case in zip(clients, paths, cases, strict=True):
            client.open(f"{path}?case={case}")
            client.send_text("ready")
            assert client.read_text() == "ready"
        check_end(row, server, clients)
    finally:
        server.kill()
    if row.ends_views:
        for case in cases:
            journal.wait(case, "ended")
    server.log.join()
    assert not server.log.find_faults(), server.log.text()


@pytest.mark.rows(says_goodbye=True, few_threads=True)
def test_a_view_that_waits_for_something_else_is_cancelled(row, start_server, journal):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    settings = {"WEBSOCKET_CLOSE_TIMEOUT": 5}  # the default: longer than the worker waits
    server, case = start_server(row, settings), f"{row.name}:sigterm-deaf"
    try:
        client = RawClient(server)
        client.open(f"/async/deaf/?case={case}")
        assert client.read_text() == "asleep"
        check_end(row, server, [client])
    finally:
        server.kill()
    assert journal.wait(case, "ended")["outcome"] == "CancelledError"
