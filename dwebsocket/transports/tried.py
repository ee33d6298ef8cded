"""Sockets that are never blocking: every call is tried, and what it then lacks is waited for."""

from __future__ import annotations

from typing import Any

from .base import Lock, Transport

__all__ = ["TriedTransport"]

READ_SIZE = 16384


class TriedTransport(Transport):
    """A transport over a socket with timeout 0: that it would wait it says by an error."""

    __slots__ = ()  # mixed into transports that have their own; "_lock" is declared there

    _lock: Lock

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        self._lock = self.create_lock()

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        with self._lock:
            try:
                data = self.sock.recv(READ_SIZE)
            except BlockingIOError:
                return None
        return data, len(data)

    def try_send(self, data: bytes | memoryview) -> int:
        with self._lock:
            try:
                return int(self.sock.send(data))
            except BlockingIOError:
                return 0

    def _shutdown(self, how: int) -> None:
        with self._lock:
            super()._shutdown(how)
