"""A descriptor for ``select``, where the server keeps the socket to itself."""

from __future__ import annotations

import socket
import threading

__all__ = ["Readiness"]


class Readiness:
    """An event whose descriptor is readable while it is set. From any thread."""

    __slots__ = ("_is_set", "_lock", "_reader", "_writer")

    def __init__(self) -> None:
        # No descriptor is used while another thread closes it: its number may be another's then.
        self._lock = threading.Lock()
        self._reader, self._writer = socket.socketpair()
        self._is_set = False  # there is one byte to read, else none

    def fileno(self) -> int:
        """The descriptor, -1 once it is closed."""
        return self._reader.fileno()

    def set(self) -> None:
        """Make the descriptor readable. Does nothing once it is closed."""
        with self._lock:
            if not self._is_set and self._reader.fileno() >= 0:
                self._writer.send(b"\0")
                self._is_set = True

    def clear(self) -> None:
        """Make it not readable. Does nothing once it is closed."""
        with self._lock:
            if self._is_set and self._reader.fileno() >= 0:
                self._reader.recv(1)
                self._is_set = False

    def close(self) -> None:
        """Close the descriptors; idempotent."""
        with self._lock:
            self._reader.close()
            self._writer.close()
