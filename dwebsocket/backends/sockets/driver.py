"""Drives a WebSocket that nobody waits for: a loop tells it when there is something to do.

The listener's calls come in order and never overlap, for the loop runs one ``on_readable`` at a
time. Whatever ends the connection, in whatever thread, shuts the socket down; the loop then finds
its end and the listener hears of it there.
"""

from __future__ import annotations

from typing import Any, Protocol

from dwebsocket.backends.listening import Listener, refuse_waiting
from dwebsocket.backends.sockets.reader import MAX_DISCARDED, Reader
from dwebsocket.backends.sockets.watching import WriteWatcher
from dwebsocket.backends.sockets.writer import Writer
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.messages import Message
from dwebsocket.protocol.state import ConnectionState
from dwebsocket.transports import Transport
from dwebsocket.transports.base import fail_watcher

__all__ = ["Driver", "Owner"]


class Owner(Protocol):
    """The WebSocket."""

    _ready: list[Message]
    _state: ConnectionState
    _has_ended: bool
    _transport: Transport

    def _leave_reading_to(self, driver: Any) -> None: ...
    def close_connection(self, code: int, reason: str, timeout: float) -> None: ...
    def _release(self) -> None: ...


class Driver(WriteWatcher):
    """The ``Watcher`` of a WebSocket that nobody waits for: it reads as well as writes.

    While frames wait nothing is read for which there would be answers, and once our Close has left
    what else comes is thrown away.

    Attributes:
        busy: whether the listener is being called.
    """

    __slots__ = (
        "_ended",
        "_failed",
        "_listener",
        "_paused",
        "_reader",
        "_rest",
        "_websocket",
        "busy",
    )

    _writer: Writer

    def __init__(
        self, websocket: Owner, reader: Reader, writer: Writer, listener: Listener
    ) -> None:
        super().__init__(writer)
        self._websocket = websocket
        self._reader = reader
        self._listener = listener
        self.busy = True  # with the opening
        self._ended = False  # the listener has been told
        self._failed = False  # a call has raised, and our Close says so
        self._paused = False  # the listener wants nothing for now
        self._rest = MAX_DISCARDED

    def start(self) -> None:
        """Let the loop read: the opening is over. Never raises."""
        try:
            self._start()
        except Exception:
            fail_watcher(self)
            if not self._watched:  # by a loop, which finds the end
                self._fail_for_good()

    def _start(self) -> None:
        websocket = self._websocket
        websocket._leave_reading_to(self)
        self._closing = self._closing or websocket._has_ended  # already; the loop is to find out
        self.busy = False
        try:
            self._writer.start_driver(self)
        except OSError as error:  # the system watches no further descriptor
            self._lose(f"watching failed: {error}")
            self._end()

    # In the place of the lock of readers: the loop reads, and so may the call that it makes

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Whether the caller may read: it is the listener's own call. Never waits.

        Raises:
            InvalidState: the caller would wait.
        """
        if blocking:
            refuse_waiting()
        return self.busy and self._transport.is_calling()

    def release(self) -> None:
        """The caller has read."""

    def watch(self) -> None:
        """Have the loop call this driver from now on. Called with the write lock held."""
        self._watched = True
        self._transport.watch(
            self,
            reading=not (self.blocked or self._paused) or self._closing,
            writing=self.blocked,
            more=self._has_early,
        )

    # While the connection goes to another process

    def suspend(self) -> None:
        """Have the loop call nothing any more; what it is calling goes on (``is_still``)."""
        with self._writer.lock:
            self._watched = False
            self._transport.unwatch()
        self._listener.stalled = True  # what the present message leaves is left

    @property
    def is_watched(self) -> bool:
        """Whether the loop calls this driver."""
        return self._watched

    @property
    def is_still(self) -> bool:
        """Whether nothing is being called any more."""
        return not self.busy and self._transport.is_still()

    def resume(self) -> None:
        """Go on: the connection stays here. The present call may not have returned yet."""
        try:
            self._writer.start_driver(self)
        except OSError as error:
            self._lose(f"watching failed: {error}")
            self._end()

    def stop_timing(self) -> None:
        """No time is running out here any more."""
        self._deadline = None

    def set_reading(self, on: bool) -> None:
        """Have the loop read, or not. From any thread, but not with the write lock held."""
        with self._writer.locked():
            self._paused = not on
            self._set_interest(writing=self.blocked)

    @property
    def _has_early(self) -> bool:
        """Whether there is something to do before anything else comes."""
        websocket = self._websocket
        return bool(websocket._ready or self._reader.connection.rest or websocket._state.reading)

    # What the loop calls

    def on_readable(self) -> bool:
        websocket = self._websocket
        if self._ended:
            self._discard()
            return False
        if self._paused and not self._closing:
            return True  # called again when it is read on
        if websocket._ready:  # what the last turn has left
            self._work_through(websocket._ready)
        else:
            messages = self._reader.receive_once()
            if messages and not self._closing:
                if len(messages) == 1:
                    websocket._ready = messages  # where what the call finds is put, too
                    self._call(messages)
                else:
                    messages.reverse()
                    self._work_through(messages)
        if websocket._ready:
            return True
        if websocket._state.reading:
            self._end()
            return False
        return bool(self._reader.connection.rest)

    def on_writable(self) -> None:
        if self._writer.try_flush() and self._ended:
            self._finish_writing()
        self._release_if_lost()

    def on_stalled(self) -> None:
        self._listener.stalled = True
        self._writer.batch.end()

    def on_failure(self) -> None:
        self.busy = False
        if self._failed or self._ended:
            self._fail_for_good()
        else:
            self._failed = True
            self._websocket.close_connection(CloseCode.INTERNAL_ERROR, "", conf.CLOSE_TIMEOUT)

    def _fail_for_good(self) -> None:
        """Mark the connection as lost, and end: not even the Close has gone well."""
        self._lose("of an error that is logged")
        was_told, self._ended = self._ended, True
        try:
            if not was_told:
                self._listener.end()
        finally:
            self._release()

    def _work_through(self, messages: list[Message]) -> None:
        """Hand on messages of one read, the last one first in the list; their answers leave
        together.
        """
        transport = self._transport
        self._websocket._ready = messages
        transport.start_gathering()
        if self._listener.stalled:  # before the batch begins
            transport.stop_gathering()
        self._call(messages)
        transport.stop_gathering()
        if self._writer.outbox.frames:
            self._writer.try_flush()

    def _call(self, messages: list[Message]) -> None:
        self.busy = True
        self._listener.receive(messages)
        self.busy = self._listener.stalled = False

    def _set_interest(self, *, writing: bool) -> None:
        if self._watched:
            reading = not (writing or self._paused) or self._closing
            self._transport.set_interest(reading=reading, writing=writing)

    def _end(self) -> None:
        """The connection is over; what is left is to let our last words out."""
        self._reader.end_answers()
        self._ended = self._closing = True
        if self._writer.is_lost:
            self._deadline = None
        elif self.blocked:
            self._arm(conf.CLOSE_TIMEOUT)
        else:
            self._finish_writing()
        self.busy = True
        try:
            self._listener.end()
        finally:
            self.busy = False
            if self._deadline is None:
                self._release()

    def _finish_writing(self) -> None:
        """After a breach nothing can be parsed: read until the peer has our Close (RFC 6455,
        7.1.1); otherwise both have said goodbye.
        """
        if self._reader.connection.failure is not None:
            self._transport.shutdown_writing()
            self._arm(conf.CLOSE_TIMEOUT)
        else:
            self._deadline = None
            self._transport.shutdown()  # the loop finds the end

    def _discard(self) -> None:
        """Read what nobody wants, until the end. Not when the socket has been shut down in between:
        the system would not tell the peer that there is room again, and leave it waiting for that.
        What lies unread at the close resets the connection.
        """
        if self._writer.is_lost:
            self._release()
            return
        try:
            received: Any = self._transport.try_receive()
        except OSError:
            received = None, 0
        if received is not None:
            self._rest -= received[1]
            if not received[1] or self._rest < 0:
                self._release()

    def _release(self) -> None:
        self._deadline = None
        self._transport.unwatch()
        self._websocket._release()
