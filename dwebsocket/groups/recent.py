"""What groups have handed out in this process lately: where a connection goes on in another process
the same message may come once more.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Recent", "recent"]

#: Seconds for which a message may be on its way to one process that another one has had, and how
#: many are known at most.
SPAN, MOST = 5.0, 5000

#: Seconds between two looks.
PAUSE = 0.001


class Recent:
    """Messages by what no other one has (``PreparedMessage.identity``). Safe from any thread."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, int, str]] = deque(maxlen=MOST)
        self._running: set[object] = set()
        self._count = 0
        self._lock = threading.Lock()  # held for an instant

    @contextmanager
    def sending(self) -> Iterator[None]:
        """A message is sent in here: to members in this process, and to others."""
        token = object()
        self._running.add(token)
        try:
            yield
        finally:
            self._running.discard(token)

    @contextmanager
    def handing_out(self, identity: str) -> Iterator[None]:
        """A message is handed to the members in here."""
        with self.sending():
            try:
                yield
            finally:
                with self._lock:
                    self._count += 1
                    self._done.append((time.monotonic(), self._count, identity))

    def settle(self, timeout: float) -> None:
        """Wait until what is being sent and handed out now has been."""
        until, running = time.monotonic() + timeout, set(self._running)
        while running & self._running and time.monotonic() < until:
            time.sleep(PAUSE)

    def since(self, count: int) -> tuple[list[str], int]:
        """Those of the last seconds, but for the first ``count`` ones; and how many there were by
        now.
        """
        oldest = time.monotonic() - SPAN
        with self._lock:
            found = [one for when, number, one in self._done if number > count and when > oldest]
            return found, self._count


#: Of this process; a fork goes on with its parent's, which does no harm.
recent = Recent()
