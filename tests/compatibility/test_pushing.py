"""Views that push, and how they find out that nobody listens any more."""

import json
import threading

import pytest

from dwebsocket.decorators import require_websocket

either = pytest.mark.parametrize("legacy", [False, True])


def push_while_not_closed(websocket, tick):
    while not websocket.closed:
        websocket.send("tick")
        tick()


def push_while_not_is_closed(websocket, tick):
    while not websocket.is_closed():
        websocket.send(json.dumps({"tick": True}))
        tick()


def push_for_ever(websocket, tick):
    while True:
        websocket.send("tick")
        tick()


def push_until_stopped(websocket, tick):
    while not websocket.has_messages():
        websocket.send("tick")
        tick()


@pytest.mark.parametrize(
    ("push", "legacy"),
    [
        (push_while_not_closed, False),
        (push_while_not_closed, True),
        (push_while_not_is_closed, False),
        (push_while_not_is_closed, True),
        (push_for_ever, False),  # under LEGACY send is silent, as it was
    ],
)
def test_push_loops_end_when_the_client_has_left(site, caplog, push, legacy):
    pause = threading.Event()

    @require_websocket
    def view(request):
        push(request.websocket, lambda: pause.wait(0.001))

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        assert "tick" in websocket.receive()
    assert caplog.records == []


@either
def test_a_message_stops_a_push_loop(site, legacy):
    pause = threading.Event()

    @require_websocket
    def view(request):
        push_until_stopped(request.websocket, lambda: pause.wait(0.001))
        request.websocket.send("stopped")

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        websocket.receive()
        websocket.send("stop")
        while websocket.receive() != "stopped":
            pass
