"""What a transport does, and what it promises."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, ClassVar, Protocol

from dwebsocket.supervisor import log_failure, start_thread

from . import poll
from .detach import replace_by_dead

__all__ = ["Lock", "Transport", "Watcher", "fail_watcher", "remaining"]

#: threading.Lock, or gevent's or eventlet's semaphore: acquire(blocking, timeout), release().
Lock = Any

#: Bytes thrown away before a hang-up, so that it does not tear our last words from the peer.
MAX_DISCARDED = 1 << 20


def remaining(deadline: float | None) -> float | None:
    """Seconds from now to a ``time.monotonic()`` deadline, never negative; ``None`` is no end."""
    return None if deadline is None else max(0.0, deadline - monotonic())


class Watcher(Protocol):
    """Who is told when a connection that nobody waits for can be read or written."""

    def on_readable(self) -> bool:
        """Something has come, or the end. May block; never called twice at the same time. Whether
        to call again, behind others, even if nothing further comes.
        """

    def on_writable(self) -> None:
        """The socket takes data again. Must not block."""

    def on_stalled(self) -> None:
        """``on_readable`` runs for long. Must not block."""

    def on_failure(self) -> None:
        """One of these has raised, which is logged: end the connection. Must not block."""


def fail_watcher(watcher: Watcher) -> None:
    """A method of the watcher has raised, which is being handled: the end of its connection, and of
    nobody else. Never raises.
    """
    log_failure("A WebSocket failed, and is closed")
    try:
        watcher.on_failure()
    except BaseException:
        log_failure("A WebSocket that failed cannot be closed")


class Transport:
    """Bytes in and out of one connected socket.

    Subclasses say how to try without blocking (``try_receive``, ``try_send``) and how to wait
    (``wait_readable``, ``wait_writable``); the rest follows from those. One reader and one writer
    may be at work at once; that there are not two of either is the caller's business.

    ``try_receive`` returns a buffer and how many of its bytes are new. The buffer may be shared by
    all connections: use its content before anything else can run.

    Attributes:
        detaches: whether ``detach`` can be done.
        gathers: whether ``gather`` may say yes.
        frees_memory: whether a view costs much less memory beside its server.
        calls_anew: whether each ``on_readable`` runs in a greenlet of its own.
        half_closes: whether the peer can be told that nothing more follows, and go on to send;
            otherwise ``shutdown_writing`` does nothing.
        moves: whether another process can go on with its descriptor.
    """

    __slots__ = ("_detached", "half_closes", "sock")

    detaches: ClassVar[bool] = False
    gathers: ClassVar[bool] = False
    frees_memory: ClassVar[bool] = False
    calls_anew: ClassVar[bool] = False
    moves: ClassVar[bool] = True

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self._detached = False
        self.half_closes = True
        try:  # a small frame must not wait for the acknowledgement of the one before it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # a Unix socket
            pass

    def fileno(self) -> int:
        """The descriptor, -1 once it is closed."""
        return int(self.sock.fileno())

    # Reading

    def try_receive(self) -> tuple[bytes | bytearray, int] | None:
        """What is here: a buffer and a count, 0 at the end of the stream; ``None``: nothing yet.

        Raises:
            OSError: the connection is broken.
        """
        raise NotImplementedError

    def receive(self, deadline: float | None = None) -> tuple[bytes | bytearray, int]:
        """``try_receive``, waiting until something is here.

        Raises:
            TimeoutError: the deadline (``time.monotonic()``) passed.
            OSError: the connection is broken.
        """
        while True:
            received = self.try_receive()
            if received is not None:
                return received
            if not self.wait_readable(remaining(deadline)):
                raise TimeoutError("nothing was received in time")

    # Writing

    def try_send(self, data: bytes | memoryview) -> int:
        """Send what the socket takes at once; how many bytes that was, 0 if none.

        Raises:
            OSError: the connection is broken.
        """
        raise NotImplementedError

    def try_send_parts(self, parts: Sequence[bytes]) -> int:
        """``try_send`` for several parts, unjoined where the platform can."""
        return self.try_send(b"".join(parts))

    def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        """Send all of ``data``.

        Raises:
            TimeoutError: the peer took too long to take it; a part may have been sent.
            OSError: the connection is broken.
        """
        rest = memoryview(data)
        while True:
            rest = rest[self.try_send(rest) :]
            if not rest:
                return
            if not self.wait_writable(remaining(deadline)):
                raise TimeoutError("the peer did not take the data in time")

    # Waiting, and what else depends on how the server runs

    def wait_readable(self, timeout: float | None) -> bool:
        """Wait until ``try_receive`` has something to say; ``False`` after ``timeout`` seconds."""
        raise NotImplementedError

    def wait_writable(self, timeout: float | None) -> bool:
        """Wait until ``try_send`` can go on; ``False`` after ``timeout`` seconds."""
        raise NotImplementedError

    def is_hung_up(self) -> bool:
        """Whether the peer has closed its side, even with unread data in front of that."""
        return poll.is_hung_up(self.fileno())

    def has_unread(self) -> bool:
        """Whether something has come that has not been read, or the end. Never waits."""
        fd = self.fileno()
        return fd >= 0 and poll.wait_readable(fd, 0)

    @staticmethod
    def create_lock() -> Lock:
        """A lock that lets other connections go on while one waits for it."""
        return threading.Lock()

    @staticmethod
    def start(function: Callable[[], None], name: str) -> None:
        """Run ``function`` beside the server, in whatever the server runs things in, with the
        caller's context.
        """
        start_thread(function, name)

    @classmethod
    def find_starter(cls) -> Callable[[Callable[[], None], str], None]:
        """What does the same from any thread: it runs the function where the caller of this runs
        things.
        """
        return cls.start

    @staticmethod
    def sleep(seconds: float) -> None:
        """Wait, letting others go on."""
        raise NotImplementedError

    def take_turn(self) -> None:
        """Let all others go on before this connection does."""
        self.sleep(0)

    def gather(self, flush: Callable[[], None]) -> bool:
        """Whether the caller, who is working through a batch, may hold its answers back.

        If so, ``flush`` is called when the caller gives up control, or some milliseconds later,
        unless the caller is one that is watched, which sees to that.
        """
        return False

    def start_gathering(self) -> None:
        """The caller begins to work through a batch, and will flush what was held back when that is
        done.
        """

    def stop_gathering(self) -> None:
        """Answers may be held back no more. From any thread."""

    # Leaving the server

    def detach(self, lowest: int = 0) -> bool:
        """Take the connection away from the server, which then sees that its client has left.

        Args:
            lowest: the least number that its descriptor should have from now on, if it gets a new
                one.

        Returns:
            ``False`` where that cannot be done: the server's request must then last as long as the
            connection.
        """
        return self._detached

    def adopt(self) -> None:
        """The descriptor is ours from the beginning: there is nobody to take it away from."""
        self._detached = True

    def give_back(self) -> None:
        """The connection stays its server's after all: nobody uses this transport any more."""
        if self._detached:
            self.sock.close()

    def let_go(self) -> None:
        """Close our descriptor of a connection that goes on elsewhere, under another one. It is
        adopted or detached, and not watched.
        """
        self.sock.close()

    # Being watched: for reading only once it is detached, and nobody waits for it

    def prepare_watching(self) -> None:
        """Open what watching takes, so that it does not fail later for want of a descriptor."""

    def watch(
        self, watcher: Watcher, *, reading: bool = True, writing: bool = False, more: bool = False
    ) -> None:
        """Call ``watcher`` from now on; ``set_interest`` changes for what. From any thread.

        Args:
            more: ``on_readable`` is called even if nothing further comes.
        """
        raise NotImplementedError

    def set_interest(self, *, reading: bool, writing: bool) -> None:
        """Change what the watcher is called for. The end of the connection is always told. From
        any thread.
        """
        raise NotImplementedError

    def unwatch(self) -> None:
        """Call the watcher no more. From any thread."""
        raise NotImplementedError

    def is_still(self) -> bool:
        """Whether no ``on_readable`` is running, or about to: the last one has returned since
        ``unwatch``.
        """
        raise NotImplementedError

    def is_calling(self) -> bool:
        """Whether the running thread or greenlet is the one that calls ``on_readable``."""
        raise NotImplementedError

    # The end

    def shutdown_writing(self) -> None:
        """Tell the peer that nothing more follows; an already broken connection is no error."""
        if self.half_closes:
            self._shutdown(socket.SHUT_WR)

    def shutdown(self) -> None:
        """End both directions and wake whoever waits; the server's socket object stays open."""
        self._shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The last thing called: nobody uses this transport any more. Idempotent.

        After a shutdown the server could still read what lies in the system's buffer, and some
        would serve it as a request: a dead socket is put under its descriptor, which stays the
        server's to close.
        """
        if self._detached:
            self.sock.close()
            return
        fd = self.fileno()
        if fd >= 0:
            replace_by_dead(fd)

    def hang_up(self) -> None:
        """End a connection that carries no WebSocket, throwing away what has been received."""
        try:
            rest = MAX_DISCARDED
            while rest > 0 and (received := self.try_receive()) and received[1]:
                rest -= received[1]
        except OSError:
            pass
        self.shutdown()
        try:
            self.close()
        except OSError:  # there has been no dead socket yet, and no descriptor for one is left
            pass

    def _shutdown(self, how: int) -> None:
        try:
            self.sock.shutdown(how)
        except OSError:
            pass
