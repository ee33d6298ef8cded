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
from .base import Lock, remaining
from .departed import RawSocket, TLSStream
from .descriptors import find_dead
from .detach import duplicate, replace_by_dead
from .greenlets import GreenletTransport
from .tls import TLS_SLOTS, BaseTLSTransport

__all__ = ["PlainTransport", "TLSTransport", "forget"]

READ, WRITE = 1, 2

#: The socket without gevent, whether the process is patched or not.
socket = get_original("socket", "socket")

#: The lock without gevent: for calls into OpenSSL, which do not switch.
call_lock = get_original("threading", "Lock")

#: What gevent calls the parts of its sockets that a TLS connection is taken out of. Where it calls
#: them otherwise, such a connection stays in its greenlet.
PARTS = ("_sock", "_read_event", "_write_event")

#: One for all connections: it is emptied before anything else can run.
BUFFER = bytearray(262144)


class GeventTransport(GreenletTransport):
    """Waiting by watchers of the hub's loop; from other threads by the system's own call."""

    __slots__ = ("_fd", "_io", "_write_io")

    gathers: ClassVar[bool] = True
    frees_memory: ClassVar[bool] = True

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._fd = sock.fileno()
        self._hub = get_hub()
        self._io: Any = self._hub.loop.io(self._fd, READ)

    def wait_readable(self, timeout: float | None) -> bool:
        if get_hub() is not self._hub:
            return poll.wait_readable(self._fd, timeout)
        return self._wait(self._io, timeout)

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
        self._close_io()
        if not self._detached:
            forget(self._hub.loop.fileno(), self._fd)
        super().close()

    def give_back(self) -> None:
        self._io.close()
        super().give_back()

    def _close_io(self) -> None:
        """A greenlet that still waits to read would never hear of the hang-up: wake it."""
        if self._io.callback is None:
            self._io.close()
        else:
            self._hub.cancel_wait(self._io, ConnectionAbortedError("closed"), True)

    @staticmethod
    def create_lock() -> Lock:
        return Semaphore()

    @staticmethod
    def start(function: Callable[[], None], name: str) -> None:
        started = gevent.spawn_raw(function)  # a Greenlet costs 1 KiB more
        started.gr_context = copy_context()

    @classmethod
    def find_starter(cls) -> Callable[[Callable[[], None], str], None]:
        hub = get_hub()

        def start(function: Callable[[], None], name: str) -> None:
            if get_hub() is hub:
                cls.start(function, name)
            else:
                run = copy_context().run
                hub.loop.run_callback_threadsafe(run, cls.start, function, name)

        return start

    @staticmethod
    def sleep(seconds: float) -> None:
        gevent.sleep(seconds)

    def is_own_hub(self) -> bool:
        return get_hub() is self._hub

    def call_in_hub(self, interest: tuple[bool, bool] | None) -> None:
        self._hub.loop.run_callback_threadsafe(self._set_interest, interest)

    def call_in_next_round(self, function: Callable[[], None]) -> None:
        # Of its callbacks the loop runs many before it looks at any descriptor.
        timer = self._hub.loop.timer(0)
        timer.start(call_and_close, timer, function)

    def gather(self, flush: Callable[[], None]) -> bool:
        if getcurrent() is not self._reader:
            return False
        self._hub.loop.run_callback(flush)
        return True

    def watch_reading(self, on: bool) -> None:
        if on:
            self._io.start(self._on_readable)
        else:
            self._io.stop()

    def watch_writing(self, on: bool) -> None:
        if on:
            self._write_io = self._hub.loop.io(self._fd, WRITE)
            self._write_io.start(self._on_writable)
        else:
            self._write_io.close()


class PlainTransport(GeventTransport):
    """The socket is never blocking; it was just emptied, so a read waits first, then receives."""

    __slots__ = ("_recv_into", "_send", "_sendmsg")

    detaches: ClassVar[bool] = True

    _recv_into: Callable[[bytearray], int]
    _send: Callable[[bytes | memoryview], int]
    _sendmsg: Callable[[Sequence[bytes]], int]

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._use(sock._sock)

    def _use(self, plain: Any) -> None:
        """The socket below gevent's: the same calls, raising BlockingIOError, not switching."""
        self._recv_into = plain.recv_into
        self._send = plain.send
        self._sendmsg = plain.sendmsg

    def detach(self, lowest: int = 0) -> bool:
        """A greenlet of ours costs much less memory than the server's, at whose bottom lies the
        server's handler.
        """
        if self._detached:
            return True
        sock = self.sock
        own = socket(sock.family, sock.type, sock.proto, duplicate(self._fd, lowest))
        own.setblocking(False)
        forget(self._hub.loop.fileno(), self._fd)
        replace_by_dead(self._fd)
        self._io.close()
        self.sock, self._fd = own, own.fileno()
        self._io = self._hub.loop.io(self._fd, READ)
        self._use(own)
        self._detached = True
        return True

    def let_go(self) -> None:
        # The open file lives on in another process, and epoll would go on to tell of it.
        self._close_io()
        forget(self._hub.loop.fileno(), self._fd)
        self.sock.close()

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
        watcher = self._io
        while True:
            if deadline is None:  # hub.wait() without what tells a wrong switch: we look anyway
                watcher.start(reader.switch)
                try:
                    hub.switch()
                finally:
                    watcher.stop()
            elif not self._wait(self._io, remaining(deadline)):
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


def call_and_close(timer: Any, function: Callable[[], None]) -> None:
    timer.close()
    function()


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

    __slots__ = TLS_SLOTS

    detaches: ClassVar[bool] = all(hasattr(gevent.socket.socket, part) for part in PARTS)

    def detach(self, lowest: int = 0) -> bool:
        """OpenSSL's object is bound to the socket below gevent's, which is ours from here on; the
        server's object gets a dead one.
        """
        if self._detached:
            return True
        sock, io = self.sock, self._hub.loop.io
        stream = TLSStream(sock._sock, sock._sslobj)
        dead = os.dup(find_dead())
        old = sock._read_event, sock._write_event
        sock._sslobj = None
        sock._sock = RawSocket(sock.family, sock.type, sock.proto, dead)
        sock._read_event, sock._write_event = io(dead, READ), io(dead, WRITE)
        for event in old:
            event.stop()
            event.close()
        self.sock, self._lock, self._detached = stream, call_lock(), True
        return True

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        if self.is_own_hub():
            self._reader = getcurrent()
        return super().receive(deadline)
