"""The pages that are open in this process, and how all of them are told.

A site of several processes must reach the others through something they share; a plain set shows
the idea with the least code.
"""

import threading
from contextlib import suppress

from dwebsocket import ConnectionClosed

_handlers = set()
_lock = threading.Lock()  # guards the set; never held while sending


def add(handler):
    with _lock:
        _handlers.add(handler)


def discard(handler):
    with _lock:
        _handlers.discard(handler)


def tell(event):
    """From any thread. Nobody waits: a handler's send() only hands the message over."""
    with _lock:
        handlers = list(_handlers)
    for handler in handlers:
        with suppress(ConnectionClosed):  # its on_close() is about to take it out
            handler.send_json(event)
