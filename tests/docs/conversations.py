"""Talking to a server that a page has started."""

import time
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

TIMEOUT = 30  # seconds, on a busy machine
END = 10  # seconds that a server may take to end

# Where the pages' projects answer each message with itself.
ADDRESSES = ["/echo/", "/lobby/socket/"]


def open_websocket(server, addresses=ADDRESSES, **options):
    """A WebSocket to the first address that is there."""
    scheme = "wss" if options.get("ssl") else "ws"
    options = {"open_timeout": TIMEOUT, "ping_interval": None, **options}
    refusals = []
    for address in addresses:
        try:
            return connect(f"{scheme}://127.0.0.1:{server.port}{address}", **options).__enter__()
        except InvalidStatus as error:
            refusals.append(f"{address}: {error.response.status_code} {error.response.body}")
        except TimeoutError as error:
            raise TimeoutError(f"{server.command}: {error}; its log:\n{server.log}") from error
    raise AssertionError(f"{server.command}: {refusals}; its log:\n{server.log}")


def check_echo(websocket):
    for message in ["Grüße", b"\0\xff", "x" * 70_000]:
        websocket.send(message)
        while websocket.recv(TIMEOUT) != message:  # the tutorial's view greets first
            pass


def close_codes_at_sigterm(server, *websockets):
    """What clients see when the server is ended as an administrator does."""
    started = time.monotonic()
    server.terminate()
    for websocket in websockets:
        with pytest.raises(ConnectionClosed):
            websocket.recv(TIMEOUT)
    server.wait()
    assert time.monotonic() - started < END
    return [websocket.protocol.close_code for websocket in websockets]


def check_http(server, ssl=None):
    """An ordinary request is served: here with a refusal, for the view is one for WebSockets."""
    scheme = "https" if ssl else "http"
    address = f"{scheme}://127.0.0.1:{server.port}{ADDRESSES[0]}"
    with pytest.raises(HTTPError) as refused, urlopen(address, timeout=TIMEOUT, context=ssl):
        pass
    assert (refused.value.code, b"WebSockets only" in refused.value.read()) == (400, True)


def check_many(server, addresses, count, ssl=None):
    """So many WebSockets are served at a time, and ordinary requests beside them."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_websocket(server, addresses, ssl=ssl)) for _ in range(count)
        ]
        check_http(server, ssl)
        for websocket in opened:
            check_echo(websocket)


def check_capacity(server, capacity, addresses=ADDRESSES, **options):
    """So many WebSockets are served at a time, and one more is kept waiting."""
    with ExitStack() as stack:
        for _ in range(capacity):
            websocket = stack.enter_context(open_websocket(server, addresses, **options))
            websocket.send("served")
            assert websocket.recv(TIMEOUT) == "served"
        with pytest.raises(TimeoutError):
            open_websocket(server, addresses, open_timeout=0.7, **options)
