"""SIGTERM with open WebSockets: the server ends in a few seconds, and says goodbye where it can."""

import ssl
import time

import pytest

from ..raw_client import CLOSE, TEXT, Frame, RawClient

#: Seconds: a few, and what a busy machine takes.
IN_TIME = 15

VIEWS = ["/echo/", "/echo/wait/", "/push/", "/push/connected/"]


def test_sigterm(row, start_server, journal):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    server = start_server(row)
    try:
        paths = VIEWS[: 1 if not row.concurrent else len(VIEWS) if row.patched else 2]
        paths = ["/handler/echo/", *paths]  # first, for a view may take the whole server
        if row.coroutines and not row.foreign and row.concurrent:
            paths += ["/echo/async/", "/handler/async/"]
        cases = [f"{row.name}:sigterm-{path}" for path in paths]
        clients = [RawClient(server) for _ in paths]
        for client, path, case in zip(clients, paths, cases, strict=True):
            client.open(f"{path}?case={case}")
            # The view runs: it answers, or it sends by itself.
            client.send_text("ready")
            client.read_text()
        check_end(row, server, clients)
    finally:
        server.kill()
    if row.ends_views:
        for path, case in zip(paths, cases, strict=True):
            ended = journal.wait(case, "ended")
            assert path not in VIEWS or ended["outcome"]
    server.log.join()
    assert not server.log.find_faults(), server.log.text()


def check_end(row, server, clients):
    """SIGTERM: each client is told what the row says, and the server ends in time."""
    server.terminate()
    started = time.monotonic()
    codes = {read_close_code(client) for client in clients}
    server.wait(timeout=IN_TIME)
    assert time.monotonic() - started < IN_TIME
    assert codes <= ({1001} if row.says_goodbye else row.goodbye)


def read_close_code(client):
    """The code of the Close that came, or None when the stream ended without one."""
    code = None
    try:
        while (frame := client.read_frame(timeout=IN_TIME)).opcode != CLOSE:
            assert frame == Frame(TEXT, frame.payload), bytes(client.received)
        assert frame.fin, bytes(client.received)
        code = frame.close_code
        client.send_close(code)
        assert client.read_to_eof() == b""
    except (EOFError, ConnectionError, ssl.SSLEOFError):
        pass
    finally:
        client.hang_up()
    return code
