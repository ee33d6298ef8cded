"""What TLS changes: the descriptor being readable does not say that there is data, nor the reverse.

The socket is never blocking. Every call into OpenSSL is tried; what it then lacks is waited for:
mostly what one would think, but a read may have to wait until something can be written, and a
write until something has come (a renegotiation of TLS 1.2). Calls exclude each other (one SSL
object is not safe for two threads), waits do not.
"""

from __future__ import annotations

import ssl
from typing import Any, ClassVar

from .base import Watcher, remaining
from .departed import break_off
from .tried import TriedTransport

__all__ = ["TLS_SLOTS", "BaseTLSTransport"]

#: A TLS record holds at most 16 KiB. A read asks for that much, so nothing of a record stays in
#: OpenSSL, where no poll would find it. A write gives it as much at a time: of more it would not
#: say how much has left.
RECORD_SIZE = 16384

#: Bytes after which a read looks for no further record.
MAX_READ = 262144

#: Seconds for which a call into OpenSSL may keep others waiting. One to read goes on for as long as
#: new keys come, and may hold a thread; who wants to send meanwhile ends the connection.
MAX_CALL = 1.0

BUSY = "the peer keeps TLS busy"

#: What transports over TLS have besides: classes that are mixed in cannot have slots.
TLS_SLOTS = (
    "_lock",
    "_read_needs_write",
    "_told",
    "_wants_reading",
    "_wants_writing",
    "_write_needs_read",
)


class BaseTLSTransport(TriedTransport):
    """A transport over an ``SSLSocket``-like object, or, once it has left the server, a
    ``TLSStream``. It stands between the loop that watches it and its ``Watcher``.
    """

    __slots__ = ()  # TLS_SLOTS

    detaches: ClassVar[bool] = True
    moves: ClassVar[bool] = False

    # Any: the slots are the subclass's.
    _read_needs_write: Any  # bool: whether OpenSSL has to write before it can read
    _write_needs_read: Any  # bool, and the reverse
    _told: Any  # the Watcher, and what it wants to be called for
    _wants_reading: Any
    _wants_writing: Any

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._read_needs_write = self._write_needs_read = False

    def _acquire(self) -> None:
        """Wait for calls of others.

        Raises:
            TimeoutError: one does not return; the connection is broken off.
        """
        lock = self._lock
        if not (lock.acquire(False) or lock.acquire(timeout=MAX_CALL)):
            break_off(self.sock)
            raise TimeoutError(BUSY)

    def _shutdown(self, how: int) -> None:
        # SSLSocket.shutdown drops the TLS state: not under somebody else's call.
        try:
            self._acquire()
        except TimeoutError:
            return
        try:
            self.sock.shutdown(how)
        except OSError:
            pass
        finally:
            self._lock.release()

    # Reading

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        self._acquire()
        try:
            data = self.sock.recv(RECORD_SIZE)
            self._read_needs_write = False
            if len(data) == RECORD_SIZE:
                data = self._receive_further(data)
        except (ssl.SSLWantReadError, BlockingIOError):
            self._read_needs_write = False
            return None
        except ssl.SSLWantWriteError:
            self._read_needs_write = True
            return None
        except ssl.SSLEOFError:
            return b"", 0
        finally:
            self._lock.release()
        return data, len(data)

    def _receive_further(self, first: bytes) -> bytes:
        """A record that is full is mostly one of many: take those in that are here."""
        records = [first]
        try:
            while len(records[-1]) == RECORD_SIZE and len(records) * RECORD_SIZE < MAX_READ:
                records.append(self.sock.recv(RECORD_SIZE))
        except OSError:  # nothing more is here; an error comes up again
            pass
        return b"".join(records)

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        # Mostly nothing is here yet, and a call that fails costs as much as one that works.
        while True:
            wait = self.wait_writable if self._read_needs_write else self.wait_readable
            if not self._has_pending() and not wait(remaining(deadline)):
                raise TimeoutError("nothing was received in time")
            received = self.try_receive()
            if received is not None:
                return received

    def _has_pending(self) -> bool:
        """Whether OpenSSL has a part of a record, of which the server has read the other."""
        self._acquire()
        try:
            return bool(self.sock.pending())
        finally:
            self._lock.release()

    def has_unread(self) -> bool:
        return self._has_pending() or super().has_unread()

    # Writing

    def try_send(self, data: bytes | memoryview) -> int:
        if len(data) <= RECORD_SIZE:
            return self._try_record(data) if data else 0
        rest, sent = memoryview(data), 0
        while sent < len(rest):
            count = self._try_record(rest[sent : sent + RECORD_SIZE])
            if not count:  # OpenSSL must get the same again next time, and not less of it
                break
            sent += count
        return sent

    def _try_record(self, data: bytes | memoryview) -> int:
        self._acquire()
        try:
            count = int(self.sock.send(data))
        except ssl.SSLWantReadError:
            self._write_needs_read = True
            return 0
        except (ssl.SSLWantWriteError, BlockingIOError):
            count = 0
        finally:
            self._lock.release()
        self._write_needs_read = False
        return count

    def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        rest = memoryview(data)
        while True:
            rest = rest[self.try_send(rest) :]
            if not rest:
                return
            wait = self.wait_readable if self._write_needs_read else self.wait_writable
            if not wait(remaining(deadline)):
                raise TimeoutError("the peer did not take the data in time")

    # Being watched

    def watch(
        self, watcher: Watcher, *, reading: bool = True, writing: bool = False, more: bool = False
    ) -> None:
        self._told = watcher
        self._wants_reading, self._wants_writing = reading, writing
        more = more or self._has_pending()
        super().watch(self, **self._find_interest(), more=more)

    def set_interest(self, *, reading: bool, writing: bool) -> None:
        self._wants_reading, self._wants_writing = reading, writing
        self._apply_interest()

    def _apply_interest(self) -> None:
        applied = None
        while applied != (interest := self._find_interest()):  # another thread has changed it
            super().set_interest(**interest)
            applied = interest

    def _find_interest(self) -> dict[str, bool]:
        """What the descriptor has to be watched for."""
        if self._wants_writing and self._write_needs_read:
            return {"reading": True, "writing": False}
        return {"reading": self._wants_reading, "writing": self._wants_writing}

    # What the loop calls: this is the Watcher that it knows

    def on_readable(self) -> bool:
        if self._write_needs_read:
            self.on_writable()
        more: bool = self._told.on_readable()
        return more or bool(self._read_needs_write)

    def on_writable(self) -> None:
        needed_read = self._write_needs_read
        self._told.on_writable()
        if self._write_needs_read is not needed_read:
            self._apply_interest()

    def on_stalled(self) -> None:
        self._told.on_stalled()

    def on_failure(self) -> None:
        self._told.on_failure()
