"""Sockets of servers that run each request in a thread or in a process of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from . import clock, poll
from .base import Transport, Watcher, remaining
from .departed import depart
from .detach import duplicate, replace_by_dead
from .thread_loop import Watch, get_loop
from .tls import TLS_SLOTS, BaseTLSTransport
from .tried import TriedTransport

__all__ = ["PlainTransport", "TLSTransport", "TriedPlainTransport"]

#: Windows has no such flag: there a plain socket is driven as TLS is.
DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)

#: Bytes asked for by a read: the first is small, since an idle connection holds the space for it.
MIN_READ = 4096
MAX_READ = 262144

#: What such a read does not hold is read into one of these, which many threads use in turn: new
#: memory for each large message would cost more than the message. So many wait for their next use.
large_buffers: list[bytearray] = []
MAX_LARGE = 16


class ReadBuffer(threading.local):
    """For reads of watched connections: one for all that a thread reads from."""

    def __init__(self) -> None:
        self.buffer = bytearray(MAX_READ)


read_buffer = ReadBuffer()


class ThreadTransport(Transport):
    """Waiting with the system's own calls."""

    __slots__ = ("_gatherer", "_watch")

    gathers: ClassVar[bool] = True

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._gatherer = 0  # the thread whose answers are gathered
        self._watch: Watch | None = None

    def wait_readable(self, timeout: float | None) -> bool:
        return poll.wait_readable(self.fileno(), timeout)

    def wait_writable(self, timeout: float | None) -> bool:
        return poll.wait_writable(self.fileno(), timeout)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    def start_gathering(self) -> None:
        self._gatherer = threading.get_ident()

    def stop_gathering(self) -> None:
        self._gatherer = 0

    def gather(self, flush: Callable[[], None]) -> bool:
        if self._gatherer != threading.get_ident():
            return False
        # Nobody is told that a thread waits for something else.
        return self.is_calling() or clock.call_later(flush)

    def prepare_watching(self) -> None:
        get_loop()

    def watch(
        self, watcher: Watcher, *, reading: bool = True, writing: bool = False, more: bool = False
    ) -> None:
        fd, watch = self.fileno(), self._watch
        if watch is None or watch.fd != fd:
            watch = self._watch = Watch(fd, watcher)
        # A call may be running still, of before: the same watch, or there would be two at once.
        watch.watcher, watch.reading, watch.writing, watch.more = watcher, reading, writing, more
        get_loop().add(watch)

    def set_interest(self, *, reading: bool, writing: bool) -> None:
        if self._watch is not None:
            get_loop().set_interest(self._watch, reading=reading, writing=writing)

    def unwatch(self) -> None:
        if self._watch is not None:
            get_loop().discard(self._watch)

    def is_still(self) -> bool:
        return self._watch is None or not self._watch.busy

    def is_calling(self) -> bool:
        return self._watch is not None and self._watch.busy == threading.get_ident()


class PlainTransport(ThreadTransport):
    """A blocking socket: waiting for data is one call; what may not block says so by a flag."""

    __slots__ = ("_large", "_polls")

    detaches: ClassVar[bool] = True

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.settimeout(None)
        # Signals are handled in the main thread, but a blocking recv there is restarted by the
        # system if the handler was installed so (gunicorn's SIGTERM): only poll comes back.
        self._polls = threading.current_thread() is threading.main_thread()
        self._large: bytearray | None = None  # what the last read has filled

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        try:
            if self._detached and self._watch is not None:
                buffer = read_buffer.buffer
                return buffer, self.sock.recv_into(buffer, 0, DONTWAIT)
            if self._large is not None:
                self._return_large()
            data = self.sock.recv(MIN_READ, DONTWAIT)
        except BlockingIOError:
            return None
        count = len(data)
        return (data, count) if count < MIN_READ else self._receive_more(data)

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        if self._large is not None:
            self._return_large()
        if (deadline is not None or self._polls) and not self.wait_readable(remaining(deadline)):
            raise TimeoutError("nothing was received in time")
        data = self.sock.recv(MIN_READ)
        count = len(data)
        return (data, count) if count < MIN_READ else self._receive_more(data)

    def _receive_more(self, data: bytes) -> tuple[bytearray, int]:
        """What is here behind a full read, in one piece with it."""
        try:
            buffer = large_buffers.pop()
        except IndexError:
            buffer = bytearray(MAX_READ)
        self._large = buffer  # until the next read, when its content has been used
        count = len(data)
        buffer[:count] = data
        try:
            count += self.sock.recv_into(memoryview(buffer)[count:], 0, DONTWAIT)
        except OSError:  # nothing yet; or the next read finds it, too
            pass
        return buffer, count

    def _return_large(self) -> None:
        buffer, self._large = self._large, None
        if buffer is not None and len(large_buffers) < MAX_LARGE:
            large_buffers.append(buffer)

    def try_send(self, data: bytes | memoryview) -> int:
        try:
            sent: int = self.sock.send(data, DONTWAIT)
        except BlockingIOError:
            return 0
        return sent

    def try_send_parts(self, parts: Sequence[bytes]) -> int:
        try:
            sent: int = self.sock.sendmsg(parts, (), DONTWAIT)
        except BlockingIOError:
            return 0
        return sent

    def detach(self, lowest: int = 0) -> bool:
        self._polls = False
        if self._detached:
            return True
        sock = self.sock
        own = socket.socket(sock.family, sock.type, sock.proto, duplicate(sock.fileno(), lowest))
        own.settimeout(None)
        replace_by_dead(sock.fileno())
        self.sock, self._detached = own, True
        return True

    def close(self) -> None:
        super().close()
        self._large = None


class TLSTransport(BaseTLSTransport, ThreadTransport):
    """TLS of ``ssl``. It leaves under the descriptor that it has."""

    __slots__ = TLS_SLOTS

    def detach(self, lowest: int = 0) -> bool:
        if not self._detached:
            self.sock, self._detached = depart(self.sock), True
        return True


class TriedPlainTransport(TriedTransport, ThreadTransport):
    """A plain socket where the platform has no flag for 'do not wait'."""

    __slots__ = ("_lock",)
