"""A reader that stops reading costs its own bound, and that only until it is closed."""

import gc
import tracemalloc
from pathlib import Path

import pytest

import dwebsocket
from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.groups import get_counts

from ..glue.site import wait_until
from ..raw_client import TEXT
from .peers import groups_left

BOUND = 4 << 20
SIZE = 20_000


@require_websocket
def view(request):
    Group("all").add(request.websocket)
    request.websocket.send("in")
    for _ in request.websocket:
        pass


class Handler(WebSocketHandler):
    def on_open(self):
        Group("all").add(self.websocket)
        self.send("in")


@pytest.fixture(params=["view", "handler"])
def join(site, request):
    """Join with a client of bytes."""
    served = {"view": view, "handler": Handler.as_view()}[request.param]
    site.serve(served, WEBSOCKET_MAX_SEND_BUFFER=BOUND, WEBSOCKET_CLOSE_TIMEOUT=10)

    def join():
        client = site.open()
        assert client.read_text() == "in"
        return client

    return join


def send_until_closed(client):
    """How many messages that took."""
    slow = get_counts().slow
    sent = 0
    while get_counts().slow == slow:
        Group("all").send(f"{sent:05}".ljust(SIZE))
        sent += 1
        assert sent < 1000, "nothing bounds what waits"
    return sent


def end(client):
    """The client wakes up, reads what is left for it, and that is all."""
    numbers = []
    while (frame := client.read_frame()).opcode == TEXT:
        numbers.append(int(frame.payload[:5]))
    assert numbers == list(range(len(numbers)))
    assert frame.close_code == 1013
    return len(numbers)


def test_it_is_closed_at_the_bound(join):
    client = join()
    sent = send_until_closed(client)
    assert sent * SIZE > BOUND
    taken = end(client)  # by the system, and what waited
    assert taken == sent - 1
    assert taken * SIZE < BOUND + (1 << 20)


@pytest.mark.parametrize("wakes_up", [True, False])
def test_nothing_is_left_of_it(join, site, wakes_up):
    """Also if it never reads again: then the connection is cut after CLOSE_TIMEOUT."""
    if not wakes_up:
        site.change(WEBSOCKET_CLOSE_TIMEOUT=0.3)
    join().send_close()  # everything is warm
    wait_until(lambda: not groups_left())
    tracemalloc.start()
    try:
        before = traced()
        client = join()
        send_until_closed(client)
        assert tracemalloc.get_traced_memory()[1] > BOUND
        if wakes_up:
            end(client)
            client.hang_up()
            client.received.clear()
        wait_until(lambda: not groups_left())
        wait_until(lambda: traced() < before + (256 << 10))
    finally:
        tracemalloc.stop()


#: What others in this process take meanwhile, such as a module that is imported, is not ours.
OURS = [tracemalloc.Filter(True, str(Path(dwebsocket.__file__).parent / "*"))]
OURS.append(tracemalloc.Filter(True, __file__))


def traced():
    """Bytes that the package and this test hold."""
    gc.collect()
    found = tracemalloc.take_snapshot().filter_traces(OURS)
    return sum(trace.size for trace in found.traces)
