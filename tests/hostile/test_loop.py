"""Where a connection is served in the event loop of an ASGI server one must not hold up the others,
nor cost more than elsewhere.
"""

import pytest

from ..raw_client import PING, TEXT, build_frame
from .measure import Meter
from .test_many import ASSEMBLING, BOMB, BOMBS, BUDGET, each, read_pong
from .test_sizes import COMPRESSED


@pytest.fixture(autouse=True)
def loop_only(row):
    if not row.asgi:
        pytest.skip("a server without an event loop")


@pytest.mark.parametrize(
    ("attack", "held"),
    [(build_frame(TEXT, b"ab") * 50_000, BUDGET), (BOMB * BOMBS, BUDGET + ASSEMBLING)],
    ids=["small messages", "bombs"],
)
def test_what_no_coroutine_reads(processes, record_property, open_websocket, attack, held):
    meter = Meter(*processes)
    meter.record = record_property
    clients = [open_websocket("/async/deaf/", **COMPRESSED) for _ in range(6)]
    other = open_websocket("/async/echo/")
    with meter.bounds(seconds=30, memory=6 * held):
        for client in clients:
            assert client.read_text() == "asleep"
            client.send_bytes(build_frame(PING) + attack)
        each(clients, read_pong)
        other.send_text("still here")
        assert other.read_past_pings(timeout=10).payload == b"still here"
    for client in [*clients, other]:
        client.hang_up()
