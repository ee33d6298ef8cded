"""Wakes a listener that waits for its connection, by a message on a channel of its own."""

from __future__ import annotations

import os
import threading

from dwebsocket.supervisor import try_start

from .client import ERRORS, Client

__all__ = ["Waker"]


class Waker:
    """Belongs to one listener.

    Attributes:
        channel: what the listener must subscribe to.
    """

    def __init__(self, client: Client, prefix: str) -> None:
        self.channel = f"{prefix}wake:{os.urandom(8).hex()}"
        self._client = client
        self._lock = threading.Lock()  # held for an instant
        self._asked = 0  # how often since the thread was started that wakes

    def wake_soon(self) -> None:
        """Never waits, though Redis may take its time: a thread does, for all that ask."""
        with self._lock:
            self._asked += 1
            if self._asked > 1:
                return
            if try_start(self._keep_waking, "dwebsocket-waking") is None:
                self._asked = 0

    def _keep_waking(self) -> None:
        while True:
            asked = self._asked
            self.wake()
            with self._lock:
                if asked == self._asked:
                    self._asked = 0
                    return

    def wake(self) -> None:
        """Wait until Redis has it; never raises."""
        try:
            self._client.publish_to_all(self.channel, b"")
        except ERRORS:
            pass  # the listener finds out by itself
