"""Talking to a server that a page has started."""

import time
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

TIMEOUT = 10  # seconds

# Where the pages' projects answer each message with itself.
ADDRESSES = ["/echo/", "/lobby/socket/"]


def open_websocket(server, **options):
    """A WebSocket to the first address that is there."""
    scheme = "wss" if options.get("ssl") else "ws"
    options = {"open_timeout": TIMEOUT, "ping_interval": None, **options}
    refusals = []
    for address in ADDRESSES:
        try:
            return connect(f"{scheme}://127.0.0.1:{server.port}{address}", **options).__enter__()
        except InvalidStatus as error:
            refusals.append(f"{address}: {error.response.status_code} {error.response.body}")
    raise AssertionError(f"{server.command}: {refusals}; its log:\n{server.log}")


def check_echo(websocket):
    for message in ["Grüße", b"\0\xff", "x" * 70_000]:
        websocket.send(message)
        while websocket.recv(TIMEOUT) != message:  # the tutorial's view greets first
            pass


def close_code_at_sigterm(server, websocket):
    """What a client sees when the server is ended as an administrator does."""
    started = time.monotonic()
    server.terminate()
    try:
        websocket.recv(TIMEOUT)
    except ConnectionClosed:
        code = websocket.protocol.close_code
    else:
        raise AssertionError("a message, of all things")
    server.wait()
    assert time.monotonic() - started < TIMEOUT
    return code


def check_capacity(server, capacity):
    """So many WebSockets are served at a time, and one more is kept waiting."""
    with ExitStack() as stack:
        for _ in range(capacity):
            websocket = stack.enter_context(open_websocket(server))
            websocket.send("served")
            assert websocket.recv(TIMEOUT) == "served"
        with pytest.raises(TimeoutError):
            open_websocket(server, open_timeout=0.7)
