"""Sockets of eventlet's server: waiting is a switch to its hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, ClassVar

import eventlet
import eventlet.hubs
from eventlet.patcher import original
from eventlet.semaphore import Semaphore
from greenlet import getcurrent

from . import poll
from .base import Lock, remaining
from .departed import depart
from .detach import duplicate, replace_by_dead
from .greenlets import GreenletTransport
from .tls import TLS_SLOTS, BaseTLSTransport

__all__ = ["PlainTransport", "TLSTransport"]

BUFFER = bytearray(262144)

#: The socket without eventlet, whether the process is patched or not.
socket = original("socket").socket

#: The lock without eventlet: for calls into OpenSSL, which do not switch.
call_lock = original("threading").Lock


class EventletTransport(GreenletTransport):
    """Waiting by eventlet's ``trampoline``; from other threads by the system's own call."""

    __slots__ = ("_fd", "_read_listener", "_write_listener")

    gathers: ClassVar[bool] = True

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._fd = sock.fileno()
        self._hub = eventlet.hubs.get_hub()

    def wait_readable(self, timeout: float | None) -> bool:
        if eventlet.hubs.get_hub() is not self._hub or is_past(timeout):
            return poll.wait_readable(self._fd, timeout)
        return self._wait(timeout, read=True)

    def wait_writable(self, timeout: float | None) -> bool:
        if eventlet.hubs.get_hub() is not self._hub or is_past(timeout):
            return poll.wait_writable(self._fd, timeout)
        return self._wait(timeout, write=True)

    def _wait(self, timeout: float | None, *, read: bool = False, write: bool = False) -> bool:
        try:
            eventlet.hubs.trampoline(
                self._fd, read=read, write=write, timeout=timeout, timeout_exc=TimeoutError
            )
        except TimeoutError:
            return False
        return True

    @staticmethod
    def create_lock() -> Lock:
        return Semaphore()

    @staticmethod
    def start(function: Callable[[], None], name: str) -> None:
        eventlet.spawn_n(copy_context().run, function)

    @staticmethod
    def sleep(seconds: float) -> None:
        eventlet.sleep(seconds)

    def close(self) -> None:
        # The descriptor gets another file: who still waits for this one must be told. Not once it
        # has been closed: somebody else may have its number.
        if self.fileno() >= 0:
            eventlet.hubs.notify_opened(self._fd)
        super().close()

    def is_own_hub(self) -> bool:
        return eventlet.hubs.get_hub() is self._hub

    def call_in_hub(self, interest: tuple[bool, bool] | None) -> None:
        self._hub.schedule_call_global(0, self._set_interest, interest)

    def call_in_next_round(self, function: Callable[[], None]) -> None:
        self._hub.schedule_call_global(0, function)

    def gather(self, flush: Callable[[], None]) -> bool:
        if getcurrent() is not self._reader:
            return False
        self._hub.schedule_call_global(0, flush)
        return True

    def watch_reading(self, on: bool) -> None:
        if on:
            self._read_listener = self._listen(self._hub.READ, self._on_readable)
        else:
            self._hub.remove(self._read_listener)

    def watch_writing(self, on: bool) -> None:
        if on:
            self._write_listener = self._listen(self._hub.WRITE, self._on_writable)
        else:
            self._hub.remove(self._write_listener)

    def _listen(self, event: str, callback: Callable[..., None]) -> Any:
        return self._hub.add(event, self._fd, callback, ignore, ignore)


def ignore(*args: Any) -> None:
    """Stands for what the hub does to listeners of a closed descriptor: ours end before that."""


def is_past(timeout: float | None) -> bool:
    """Whether there is no time to wait: eventlet would race its timer against the descriptor."""
    return timeout is not None and timeout <= 0


class PlainTransport(EventletTransport):
    """The socket below eventlet's is never blocking; a read waits first, then receives."""

    __slots__ = ("_plain",)

    detaches: ClassVar[bool] = True

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._plain: Any = sock.fd

    def detach(self, lowest: int = 0) -> bool:
        if self._detached:
            return True
        plain = self._plain
        own = socket(plain.family, plain.type, plain.proto, duplicate(self._fd, lowest))
        own.setblocking(False)
        replace_by_dead(self._fd)
        self.sock = self._plain = own
        self._fd = own.fileno()
        self._detached = True
        return True

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        buffer = BUFFER if eventlet.hubs.get_hub() is self._hub else bytearray(len(BUFFER))
        try:
            return buffer, self._plain.recv_into(buffer)
        except BlockingIOError:
            return None

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        while True:
            if not self.wait_readable(remaining(deadline)):
                raise TimeoutError("nothing was received in time")
            received = self.try_receive()
            if received is not None:
                return received

    def try_send(self, data: bytes | memoryview) -> int:
        try:
            return int(self._plain.send(data))
        except BlockingIOError:
            return 0

    def try_send_parts(self, parts: Sequence[bytes]) -> int:
        try:
            return int(self._plain.sendmsg(parts))
        except BlockingIOError:
            return 0


class TLSTransport(BaseTLSTransport, EventletTransport):
    """eventlet's ``SSLSocket`` at timeout 0 raises instead of switching; we do the waiting. It
    leaves under the descriptor that it has.
    """

    __slots__ = TLS_SLOTS

    def detach(self, lowest: int = 0) -> bool:
        if not self._detached:
            self.sock, self._lock, self._detached = depart(self.sock), call_lock(), True
        return True
