"""Sockets of servers that run each request in a thread or in a process of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from . import poll
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
        return self._gatherer == threading.get_ident()

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

    __slots__ = ("_polls", "_size")

    detaches: ClassVar[bool] = True

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.settimeout(None)
        # Signals are handled in the main thread, but a blocking recv there is restarted by the
        # system if the handler was installed so (gunicorn's SIGTERM): only poll comes back.
        self._polls = threading.current_thread() is threading.main_thread()
        self._size = MIN_READ

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        try:
            if self._detached and self._watch is not None:
                buffer = read_buffer.buffer
                return buffer, self.sock.recv_into(buffer, 0, DONTWAIT)
            data = self.sock.recv(self._size, DONTWAIT)
        except BlockingIOError:
            return None
        count = len(data)
        if count == self._size or self._size != MIN_READ:
            self._adapt(count)
        return data, count

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        if (deadline is not None or self._polls) and not self.wait_readable(remaining(deadline)):
            raise TimeoutError("nothing was received in time")
        data = self.sock.recv(self._size)
        self._adapt(len(data))
        return data, len(data)

    def _adapt(self, count: int) -> None:
        """A full read asks for more next time; a small one gives the space back."""
        if count == self._size:
            self._size = min(count * 4, MAX_READ)
        elif count < MIN_READ:
            self._size = MIN_READ

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
