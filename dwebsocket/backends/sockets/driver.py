"""Drives a WebSocket that nobody waits for: a loop tells it when there is something to do.

The listener's calls come in order and never overlap, for the loop runs one ``on_readable`` at a
time. Whatever ends the connection, in whatever thread, shuts the socket down; the loop then finds
its end and the listener hears of it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dwebsocket.backends.listening import Listener, refuse_waiting
from dwebsocket.backends.sockets.flusher import Flusher
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.transports.base import fail_watcher

if TYPE_CHECKING:
    from dwebsocket.backends.sockets.websocket import SocketWebSocket
    from dwebsocket.websocket import Message

__all__ = ["MAX_DISCARDED", "Driver"]

#: Bytes thrown away after the end, before we hang up whatever else comes.
MAX_DISCARDED = 1 << 24


class Driver(Flusher):
    """The ``Watcher`` of a WebSocket that nobody waits for: it reads as well as writes.

    While frames wait nothing is read for which there would be answers, and once our Close has left
    what else comes is thrown away.

    Attributes:
        busy: whether the listener is being called.
    """

    __slots__ = ("_ended", "_failed", "_listener", "_rest", "busy")

    _websocket: SocketWebSocket

    def __init__(self, websocket: SocketWebSocket, listener: Listener) -> None:
        super().__init__(websocket)
        self._listener = listener
        self.busy = True  # with the opening
        self._ended = False  # the listener has been told
        self._failed = False  # a call has raised, and our Close says so
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
        websocket.leave_reading_to(self)
        self._closing = self._closing or websocket.has_ended  # already; the loop is to find out
        self.busy = False
        try:
            websocket.start_watching(self)
        except OSError as error:  # the system watches no further descriptor
            websocket.give_up(f"watching failed: {error}")
            self._end()

    # In the place of the lock of readers: the loop reads, and so may the call that it makes

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Whether the caller may read: it is the listener's own call. Never waits.

        Raises:
            InvalidState: the caller would wait.
        """
        if blocking:
            refuse_waiting()
        return self.busy and self._websocket.transport.is_calling()

    def release(self) -> None:
        """The caller has read."""

    def watch(self) -> None:
        """Have the loop call this driver from now on. Called with the write lock held."""
        self._watched = True
        self._websocket.transport.watch(
            self,
            reading=not self.blocked or self._closing,
            writing=self.blocked,
            more=self._websocket.has_early,
        )

    # What the loop calls

    def on_readable(self) -> bool:
        websocket = self._websocket
        if self._ended:
            self._discard()
            return False
        if websocket._ready:  # what the last turn has left
            self._work_through(websocket._ready)
        else:
            messages = websocket.receive_once()
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
        return bool(websocket._connection.rest)

    def on_writable(self) -> None:
        if self._websocket.try_flush() and self._ended:
            self._finish_writing()
        self._let_go_if_lost()

    def on_stalled(self) -> None:
        self._listener.stalled = True
        self._websocket.transport.stop_gathering()
        self._websocket.try_flush()

    def on_failure(self) -> None:
        self.busy = False
        if self._failed or self._ended:
            self._fail_for_good()
        else:
            self._failed = True
            self._websocket.close_connection(CloseCode.INTERNAL_ERROR, "", conf.CLOSE_TIMEOUT)

    def _fail_for_good(self) -> None:
        """Not even the Close has gone well: the loop has nothing more to do with it."""
        self._websocket.give_up("of an error that is logged")
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
        websocket = self._websocket
        websocket.start_batch(messages)
        if self._listener.stalled:  # before the batch begins
            websocket.transport.stop_gathering()
        self._call(messages)
        websocket.end_batch()

    def _call(self, messages: list[Message]) -> None:
        self.busy = True
        self._listener.receive(messages)
        self.busy = self._listener.stalled = False

    def _set_interest(self, *, writing: bool) -> None:
        if self._watched:
            reading = not writing or self._closing
            self._websocket.transport.set_interest(reading=reading, writing=writing)

    def _end(self) -> None:
        """The connection is over; what is left is to let our last words out."""
        websocket = self._websocket
        websocket.end_answers()
        self._ended = self._closing = True
        if websocket.is_lost:
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
        websocket = self._websocket
        if websocket.has_failed:
            websocket.end_writing()
            self._arm(conf.CLOSE_TIMEOUT)
        else:
            self._deadline = None
            websocket.transport.shutdown()  # the loop finds the end

    def _discard(self) -> None:
        """Read what nobody wants, until the end."""
        try:
            received: Any = self._websocket.transport.try_receive()
        except OSError:
            received = None, 0
        if received is not None:
            self._rest -= received[1]
            if not received[1] or self._rest < 0:
                self._release()

    def _release(self) -> None:
        self._deadline = None
        transport = self._websocket.transport
        transport.unwatch()
        self._websocket.release()
