"""What happened inside a view, told to the test that waits for it.

Events go out as datagrams on a Unix socket which the test process reads. It works from every
server, process, thread and greenlet, also when the server serves one connection at a time.
"""

import functools
import json
import os
import socket


def record(request, event, **details):
    """Tell the test that sent `?case=…` what happened."""
    path = os.environ.get("DWEBSOCKET_TEST_JOURNAL")
    if path is None:
        return
    line = json.dumps({"case": request.GET.get("case", ""), "event": event, **details})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        # gevent returns 0, and has sent nothing, when the queue is full a second time.
        while not sock.sendto(line.encode(), path):
            pass


def recorded(view):
    """Record the beginning of a WebSocket view, and how it ended."""

    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        record(request, "started", pid=os.getpid())
        websocket = request.websocket
        outcome = "returned"
        try:
            return view(request, *args, **kwargs)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            record(
                request,
                "ended",
                outcome=outcome,
                close_code=websocket.close_code,
                close_reason=websocket.close_reason,
            )

    return wrapper
