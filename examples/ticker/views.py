"""Server push: a view that only sends, until the client leaves."""

import threading
import time
from itertools import count

from dwebsocket import require_websocket
from dwebsocket.http import WebSocketRequest

INTERVAL = 0.5  # seconds


@require_websocket
def load(request: WebSocketRequest) -> None:
    """Push what this server process is doing, twice a second."""
    cpu, clock = time.process_time(), time.monotonic()
    for number in count(1):
        time.sleep(INTERVAL)
        spent = time.process_time() - cpu
        passed = time.monotonic() - clock
        cpu, clock = cpu + spent, clock + passed
        # send() raises ConnectionClosed once the client has left, and that ends the view.
        request.websocket.send_json(
            {
                "number": number,
                "cpu": round(100 * spent / passed, 1),
                "threads": threading.active_count(),
            }
        )
