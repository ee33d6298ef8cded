"""Views that only send."""

import time

from dwebsocket import require_websocket

from ..journal import recorded


@require_websocket
@recorded
def push(request):
    while True:
        request.websocket.send("tick")
        time.sleep(0.1)


@require_websocket
@recorded
def while_connected(request):
    request.websocket.send("waiting")
    while request.websocket.connected:
        time.sleep(0.05)


@require_websocket
@recorded
def flood(request):
    """For a client that does not read: the send must not last for ever."""
    while True:
        request.websocket.send(b"\0" * 1_000_000)
