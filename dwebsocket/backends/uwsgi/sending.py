"""Sending by uWSGI's own calls, in the one thread or greenlet in which they work: the owner's.

What a group sends, from wherever, waits in an ``Outbox``. The owner sends it before anything else:
when it is about to send by itself, to wait or to close, and when the ``Outbox`` ends its wait.
"""

from __future__ import annotations

import os
from typing import Any

from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.backends.uwsgi.outbox import Outbox
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.exceptions import InvalidState
from dwebsocket.groups.base import Closing
from dwebsocket.protocol.frames import CloseCode, Opcode, build_close, build_frame_header
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import Reading
from dwebsocket.transports import poll
from dwebsocket.transports.base import Transport
from dwebsocket.websocket import BaseWebSocket, BytesLike

__all__ = ["SendingWebSocket"]


class SendingWebSocket(BaseWebSocket):
    """What its owner sends, and what others leave for that."""

    __slots__ = ("_answer_due", "_outbox", "_owner", "_server", "_transport", "_uwsgi")

    _answer_due: bool  # our Close has left, and the peer's has not come
    _outbox: Outbox
    _transport: Transport  # waits, and looks whether the peer is there; moves no bytes
    _uwsgi: Any

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._answer_due = False
        self._owner = server.current()
        self._server = server
        self._uwsgi = server.uwsgi

    # What the owner sends

    def send(self, message: str | BytesLike) -> None:
        content = message if isinstance(message, str) else self._as_bytes(message)
        self._check_may_send()
        self._sent += 1
        self._send(content)
        if self._state.reading:
            raise self._closed_error()

    def send_ping(self, payload: bytes) -> None:
        self._check_may_send()
        self._try_transmit(build_frame_header(Opcode.PING, len(payload)) + payload)
        if self._state.reading:
            raise self._closed_error()

    def _check_may_send(self) -> None:
        self._check_owner()
        if not self._state.writing:
            self._flush(waits=True)
        if self._state.reading or self._state.writing:
            self._check_accepted()
            raise self._closed_error()

    def _send(self, content: str | bytes) -> None:
        """Send a message; it ends the connection if that fails."""
        try:
            if isinstance(content, str):
                self._uwsgi.websocket_send(content.encode())
            else:
                self._uwsgi.websocket_send_binary(content)
        except OSError as error:
            self._end(CloseCode.ABNORMAL_CLOSURE, f"sending failed: {error}")

    def _transmit(self, data: bytes) -> None:
        """Send bytes as they are, through uWSGI's TLS: it sends a file so, and closes it."""
        file = os.memfd_create("dwebsocket")
        os.write(file, data)
        self._uwsgi.sendfile(file, 0, 0, len(data))

    def _try_transmit(self, data: bytes) -> None:
        """The same; it ends the connection if that fails."""
        try:
            self._transmit(data)
        except OSError as error:
            self._end(CloseCode.ABNORMAL_CLOSURE, f"sending failed: {error}")

    # What groups send

    def send_nowait(self, message: PreparedMessage) -> None:
        if self._state.reading:
            return
        self._sent += 1
        event = message.event
        self._outbox.put(event["text"] if "text" in event else event["bytes"], message.size)
        if self._outbox.is_overfull:
            if self._server.current() == self._owner:  # who else could send it?
                self._flush(waits=False)
            self._check_slow()

    def close_nowait(self, code: int, reason: str) -> None:
        if not self._state.reading:
            self._finish_with(code, reason)

    def _check_slow(self) -> None:
        """Close the connection if its peer reads too slowly."""
        if self._outbox.is_too_slow() and self._finish_with(*TOO_SLOW):
            count_slow()

    def _finish_with(self, code: int, reason: str) -> bool:
        """Nothing waits behind this Close; whether it is not the second one."""
        self.end(code, reason)
        self._state.queue_close()
        return self._outbox.put_last(code, reason)

    def _flush(self, *, waits: bool) -> None:
        """Send what groups have put there. Without ``waits`` only as long as the socket has room,
        which is enough for a message of the usual size. For the owner.
        """
        while not self._state.reading and self._outbox.items:
            if not waits and not poll.wait_writable(self._transport.fileno(), 0):
                self._outbox.note_no_room()
                self._check_slow()
                if self._outbox.is_late():
                    self._end(CloseCode.ABNORMAL_CLOSURE, "the peer did not take the Close in time")
                    self._transport.shutdown()
                return
            item = self._outbox.take()
            if isinstance(item, Closing):  # the view is told at once; its end waits for the answer
                self._send_close(*item)
                self._end(*item)
            elif item is not None:
                self._send(item)
                self._outbox.note_sent()

    # The end

    def _send_close(self, code: int, reason: str) -> None:
        self._try_transmit(build_close(code, reason))
        self._answer_due = not self._state.reading

    def _end(self, code: int, reason: str) -> None:
        self.end(code, reason)
        self._state.stop_reading(Reading.CLOSING)
        self._outbox.stop()

    def _check_owner(self) -> None:
        if self._server.current() != self._owner:
            raise InvalidState(
                "with --https-socket a WebSocket belongs to the thread or greenlet that runs its "
                "view: uWSGI's calls work nowhere else. With --https, or a proxy, any may use it"
            )
