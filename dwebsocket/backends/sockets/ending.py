"""The end of a WebSocket over a transport: our Close, and a connection that breaks."""

from __future__ import annotations

from time import monotonic

from dwebsocket.backends.sockets.posting import PostingWebSocket
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.frames import CloseCode, build_close
from dwebsocket.protocol.state import Writing
from dwebsocket.transports.base import remaining

__all__ = ["EndingWebSocket"]

CLOSE_SENT = Writing.CLOSE_SENT


class EndingWebSocket(PostingWebSocket):
    """What leaves last, and leaves once."""

    __slots__ = ("_answering", "_connection")

    # These belong to the holder of _read_lock.
    _connection: ServerConnection
    # Until when answers to what came before the end may still be sent, time.monotonic().
    _answering: float

    def _reply_close(self, deadline: float | None = None) -> None:
        """Answer the peer's Close, or its breach of the protocol (RFC 6455, 5.5.1 and 7.1.7)."""
        connection = self._connection
        if self._state.writing >= CLOSE_SENT:
            return
        if connection.close is not None:
            self._send_close(build_close(connection.close.code), deadline)
        elif connection.failure is not None:
            failure = connection.failure
            self._send_close(build_close(failure.code, failure.reason), deadline)

    def _send_close(self, frame: bytes, deadline: float | None) -> None:
        """Send our Close, once; without a deadline only as far as that goes without waiting."""
        if self._state.writing >= CLOSE_SENT:
            return
        if self._driver is not None:
            self._send_last(frame)
            return
        if deadline is None:
            acquired = self._write_lock.acquire(False)
        else:
            acquired = self._write_lock.acquire(timeout=remaining(deadline))
        if not acquired:
            return
        try:
            if self._state.writing < CLOSE_SENT:
                self.stand_back()
                data = self._take_outgoing() + (self._last or frame)
                self.transport.send(data, monotonic() if deadline is None else deadline)
        except OSError as error:
            self._lose(f"closing failed: {error}")
        finally:
            self._state.send_close()
            self._write_lock.release()

    def _send_last(self, frame: bytes) -> None:
        """Send our Close, once, behind what waits already."""
        with self._write_lock:
            if self._state.writing >= CLOSE_SENT:
                return
            self._final = self._take_outgoing() + (self._last or frame)  # the first Close counts
            self._state.send_close()
        self.try_flush()

    def end_writing(self) -> None:
        """Tell the peer that nothing more follows."""
        self.transport.shutdown_writing()

    def go_away(self, code: int) -> None:
        """The process ends: send a Close without waiting for anything."""
        self._decide_close(code, "")
        self._send_close(build_close(code), None)

    def end_view(self) -> None:
        """The process ends: whoever waits for something else must be told of that by force."""

    def _check_may_answer(self, now: float) -> None:
        """The connection is over: only answers to what came before its end may still be sent."""
        self._check_accepted()
        if now > self._answering:
            self._reply_close()
            raise self._closed_error()

    def _lose(self, reason: str) -> None:
        """The connection broke: nothing more comes, nothing more goes, whoever waits wakes up."""
        self.end(CloseCode.ABNORMAL_CLOSURE, reason)
        self._state.lose()
        self.transport.shutdown()
        self._leave()

    def _leave(self) -> None:
        """The connection has ended, whatever ended it: nobody keeps it any more."""
        raise NotImplementedError
