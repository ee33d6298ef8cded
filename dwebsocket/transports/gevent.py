"""Sockets of gevent's servers: waiting is a switch to the hub of the thread they belong to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, ClassVar

import gevent
from gevent.hub import get_hub
from gevent.lock import Semaphore
from gevent.monkey import get_original
from gevent.socket import wait as wait_for
from greenlet import getcurrent

from . import poll
from .base import Lock, Transport, remaining
from .detach import replace_by_dead
from .tls import BaseTLSTransport

__all__ = ["PlainTransport", "TLSTransport"]

READ, WRITE = 1, 2

#: The socket without gevent, whether the process is patched or not.
socket = get_original("socket", "socket")

#: One for all connections: it is emptied before anything else can run.
BUFFER = bytearray(262144)


class GeventTransport(Transport):
    """Waiting by watchers of the hub's loop; from other threads by the system's own call."""

    __slots__ = ("_fd", "_hub", "_reader", "_watcher")

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._fd = sock.fileno()
        self._hub: Any = get_hub()
        self._watcher: Any = self._hub.loop.io(self._fd, READ)
        self._reader: Any = None

    def wait_readable(self, timeout: float | None) -> bool:
        if get_hub() is not self._hub:
            return poll.wait_readable(self._fd, timeout)
        return self._wait(self._watcher, timeout)

    def wait_writable(self, timeout: float | None) -> bool:
        if get_hub() is not self._hub:
            return poll.wait_writable(self._fd, timeout)
        watcher = self._hub.loop.io(self._fd, WRITE)
        try:
            return self._wait(watcher, timeout)
        finally:
            watcher.close()

    def _wait(self, watcher: Any, timeout: float | None) -> bool:
        if timeout is None:
            self._hub.wait(watcher)
            return True
        try:
            wait_for(watcher, timeout, TimeoutError)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._close_watcher()
        forget(self._hub.loop.fileno(), self._fd)
        super().close()

    def _close_watcher(self) -> None:
        """A greenlet that still waits to read would never hear of the hang-up: wake it."""
        if self._watcher.callback is None:
            self._watcher.close()
        else:
            self._hub.cancel_wait(self._watcher, ConnectionAbortedError("closed"), True)

    def is_hung_up(self) -> bool:
        return poll.is_hung_up(self._fd)

    @staticmethod
    def create_lock() -> Lock:
        return Semaphore()

    @staticmethod
    def start(function: Callable[[], None], name: str) -> None:
        greenlet = gevent.spawn_raw(function)  # a Greenlet costs 1 KiB more
        greenlet.gr_context = copy_context()

    @staticmethod
    def sleep(seconds: float) -> None:
        gevent.sleep(seconds)


class PlainTransport(GeventTransport):
    """The socket is never blocking; it was just emptied, so a read waits first, then receives."""

    __slots__ = ("_detached", "_recv_into", "_send", "_sendmsg")

    gathers: ClassVar[bool] = True

    _recv_into: Callable[[bytearray], int]
    _send: Callable[[bytes | memoryview], int]
    _sendmsg: Callable[[Sequence[bytes]], int]

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._detached = False
        self._use(sock._sock)

    def _use(self, plain: Any) -> None:
        """The socket below gevent's: the same calls, raising BlockingIOError, not switching."""
        self._recv_into = plain.recv_into
        self._send = plain.send
        self._sendmsg = plain.sendmsg

    def detach(self) -> bool:
        """A view's own greenlet costs much less memory than the server's, at whose bottom lie the
        server's handler and the calls of all middleware.
        """
        sock = self.sock
        own = socket(sock.family, sock.type, sock.proto, os.dup(self._fd))
        own.setblocking(False)
        forget(self._hub.loop.fileno(), self._fd)
        replace_by_dead(self._fd)
        self._watcher.close()
        self.sock, self._fd = own, own.fileno()
        self._watcher = self._hub.loop.io(self._fd, READ)
        self._use(own)
        self._detached = True
        return True

    def close(self) -> None:
        if self._detached:
            self._close_watcher()
            self.sock.close()
        else:
            super().close()

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        buffer = BUFFER if get_hub() is self._hub else bytearray(len(BUFFER))
        try:
            return buffer, self._recv_into(buffer)
        except BlockingIOError:
            return None

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        hub = self._hub
        if get_hub() is not hub:
            return super().receive(deadline)
        self._reader = reader = getcurrent()
        watcher = self._watcher
        while True:
            if deadline is None:  # hub.wait() without what tells a wrong switch: we look anyway
                watcher.start(reader.switch)
                try:
                    hub.switch()
                finally:
                    watcher.stop()
            elif not self._wait(self._watcher, remaining(deadline)):
                raise TimeoutError("nothing was received in time")
            try:
                return BUFFER, self._recv_into(BUFFER)
            except BlockingIOError:
                continue

    def try_send(self, data: bytes | memoryview) -> int:
        try:
            return self._send(data)
        except BlockingIOError:
            return 0

    def try_send_parts(self, parts: Sequence[bytes]) -> int:
        try:
            return self._sendmsg(parts)
        except BlockingIOError:
            return 0

    def gather(self, flush: Callable[[], None]) -> bool:
        if getcurrent() is not self._reader:
            return False
        self._hub.loop.run_callback(flush)
        return True


def forget(loop_fd: int, fd: int) -> None:
    """Take ``fd`` out of the loop's epoll set.

    libev leaves that to the close of the descriptor, but our copy keeps the open file alive: the
    next byte would be an event nobody asked for, after which libev registers all of them anew.
    """
    epoll = poll.unpatched("epoll")
    if epoll is None:
        return
    try:
        with epoll.fromfd(os.dup(loop_fd)) as registered:
            registered.unregister(fd)
    except OSError:  # it was not registered, or the loop does not use epoll
        pass


class TLSTransport(BaseTLSTransport, GeventTransport):
    """gevent's ``SSLSocket`` at timeout 0 raises instead of switching; we do the waiting."""

    __slots__ = ("_lock",)
