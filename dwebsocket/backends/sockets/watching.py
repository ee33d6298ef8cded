"""Sends what waits for a slow reader as soon as the socket takes data again, while nobody waits.

What it knows (``blocked``) belongs to the holder of the writer's lock, and so do the changes of
what the socket is watched for: whoever writes waits either here or by itself.
"""

from __future__ import annotations

from time import monotonic
from typing import Protocol

from dwebsocket.backends.sockets import sweeper
from dwebsocket.conf import conf
from dwebsocket.transports import Transport

__all__ = ["Flushed", "WriteWatcher"]


class Flushed(Protocol):
    """The writer of a WebSocket."""

    transport: Transport

    @property
    def is_held(self) -> bool: ...
    @property
    def is_lost(self) -> bool: ...
    def try_flush(self) -> bool: ...
    def lose(self, reason: str) -> None: ...


class WriteWatcher:
    """The ``Watcher`` of a WebSocket whose view reads by itself: it is watched for writing only.

    Attributes:
        blocked: whether frames wait until the socket takes data again.
    """

    __slots__ = ("_closing", "_deadline", "_watched", "_writer", "blocked")

    def __init__(self, writer: Flushed) -> None:
        self._writer = writer
        self.blocked = False
        self._closing = False  # our Close has left, or is the last that waits
        self._deadline: float | None = None  # when the socket is shut down
        self._watched = False

    # What the loop calls

    def on_readable(self) -> bool:
        """Write: the connection has ended, and sending tells how."""
        self.on_writable()
        return False

    def on_writable(self) -> None:
        self._writer.try_flush()
        self._release_if_lost()

    def _release_if_lost(self) -> None:
        """A broken connection can be written for ever; a driver finds its end by reading."""
        if self._writer.is_lost:
            self._set_interest(writing=False)

    def on_stalled(self) -> None:
        pass

    def on_failure(self) -> None:
        self._writer.lose("of an error that is logged")
        self._release_if_lost()

    # What the WebSocket tells

    def tell_sent(self, count: int, more: bool) -> None:
        """So many bytes have left; if there are more the socket is full, and those wait."""
        was_blocked, self.blocked = self.blocked, more
        if not self._closing:
            if not more:
                self._deadline = None
            elif count or not was_blocked:
                self._arm(conf.SEND_TIMEOUT)
            if self._closing:  # meanwhile, in another thread
                self._arm(conf.CLOSE_TIMEOUT)
        if more != was_blocked:
            self._set_interest(writing=more)

    def stand_back(self) -> None:
        """Be not blocked: somebody is going to write and to wait by himself."""
        if self.blocked:
            self.tell_sent(0, False)

    def stop(self) -> None:
        """The connection has ended."""
        self._deadline = None
        if self._watched:
            self._watched = False
            self._writer.transport.unwatch()

    def _set_interest(self, *, writing: bool) -> None:
        transport = self._writer.transport
        if self._watched:
            transport.set_interest(reading=False, writing=writing)
        elif writing:
            self._watched = True
            transport.watch(self, reading=False, writing=True)

    # The end

    def close(self, timeout: float) -> None:
        """Hang up ``timeout`` seconds after our Close, if the peer does not."""
        self._closing = True
        self._arm(timeout)

    def _arm(self, timeout: float | None) -> None:
        if timeout is None:
            self._deadline = None
        else:
            self._deadline = monotonic() + timeout
            sweeper.watch_deadline(self)

    @property
    def _transport(self) -> Transport:
        return self._writer.transport

    def _lose(self, reason: str) -> None:
        """End the connection."""
        self._writer.lose(reason)

    def check_deadline(self, now: float) -> bool:
        """Whether there is none (any more); one that has passed shuts the socket down."""
        deadline = self._deadline
        if deadline is None:
            return True
        if now < deadline or self._writer.is_held:  # its time goes on where it goes on
            return False
        self._deadline = None
        self._writer.lose("the peer did not take the data or answer the Close in time")
        return True
