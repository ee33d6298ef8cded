"""Receive the events that tests.project.journal sends, and wait for one."""

import json
import socket
import threading
import time
from collections import defaultdict
from itertools import chain


class Journal:
    def __init__(self, path):
        self.path = path
        # Each with its case's: among those of a whole run a test would look for long.
        self._events = defaultdict(list)
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            event = json.loads(self._socket.recv(1 << 20))
            with self._changed:
                self._events[event["case"]].append(event)
                self._changed.notify_all()

    def events(self, case=None, name=None):
        with self._changed:
            return self._select(case, name)

    def _select(self, case, name):
        of_case = chain(*self._events.values()) if case is None else self._events.get(case, ())
        return [event for event in of_case if name in (None, event["event"])]

    def wait(self, case, name, count=1, timeout=10.0):
        """The last of `count` events of this name; AssertionError when they do not come."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = self._select(case, name)
                if len(found) >= count:
                    return found[count - 1]
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise AssertionError(
                        f"{len(found)} of {count} events {name!r} in {timeout} s; "
                        f"what the view reported: {self._select(case, None)}"
                    )
                self._changed.wait(remaining)
