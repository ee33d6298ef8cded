"""Waiting for what a page's WebSocket brings, however soon it comes."""

import time
from contextlib import contextmanager

from .conftest import TIMEOUT

__all__ = ["first_frame"]


@contextmanager
def first_frame(page):
    """What is done within opens a WebSocket of the page: wait until that has brought something.

    It is listened to from its beginning: who begins when the page has loaded may be too late.
    """
    frames = []

    def listen(websocket):
        websocket.on("framereceived", lambda frame: frames.append(frame))

    page.on("websocket", listen)
    yield
    deadline = time.monotonic() + TIMEOUT / 1000
    while not frames:
        assert time.monotonic() < deadline, f"no WebSocket has brought anything to {page.url}"
        page.wait_for_timeout(10)  # in which events come
    page.remove_listener("websocket", listen)
