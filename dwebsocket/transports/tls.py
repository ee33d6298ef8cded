"""What TLS changes: the descriptor being readable does not say that there is data, nor the reverse.

The socket is never blocking. Every call into OpenSSL is tried; what it then lacks, the subclass
waits for. Calls exclude each other (one SSL object is not safe for two threads), waits do not.
"""

from __future__ import annotations

import ssl
from typing import Any

from .base import Lock, Transport

__all__ = ["BaseTLSTransport"]

#: A TLS record holds at most 16 KiB; a larger read gets no more at a time.
RECORD_SIZE = 16384


class BaseTLSTransport(Transport):
    """A transport over an ``SSLSocket``-like object with timeout 0."""

    __slots__ = ()  # mixed into transports that have their own; "_lock" is declared there

    _lock: Lock

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        self._lock = self.create_lock()

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        with self._lock:
            try:
                data = self.sock.recv(RECORD_SIZE)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return None
            except ssl.SSLEOFError:
                return b"", 0
        return data, len(data)

    def try_send(self, data: bytes | memoryview) -> int:
        if not data:
            return 0
        with self._lock:
            try:
                return int(self.sock.send(data))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return 0

    def _shutdown(self, how: int) -> None:
        # SSLSocket.shutdown drops the TLS state: not under somebody else's call.
        with self._lock:
            super()._shutdown(how)
