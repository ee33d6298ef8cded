"""The WebSocket where uWSGI itself ends TLS (``--https-socket``), by uWSGI's own calls.

The descriptor carries TLS records that only uWSGI can read. Its calls receive whole messages and do
not tell what they were: text is what is valid UTF-8, an empty message is none, and a Close has no
code. They work in the one thread or greenlet that runs the request, its owner, nowhere else:
``SendingWebSocket`` says how others reach it.

Fragments: uWSGI collects those of all connections of a process in one place. So receiving is never
done by two at once, and a client that sends a first fragment is refused before anybody else
receives; what lies in that place by then is thrown away. What cannot be helped from here: uWSGI
2.0.31 dies of a continuation without a beginning. So this is only for clients that one trusts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import monotonic
from typing import Any

from django.http import HttpRequest

from dwebsocket.backends import live
from dwebsocket.backends.room import check_descriptors
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.backends.uwsgi.descriptor import put_under
from dwebsocket.backends.uwsgi.outbox import Outbox
from dwebsocket.backends.uwsgi.sending import SendingWebSocket
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.backends.uwsgi.waiting import create_poller, create_waiter, get_receiving_lock
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.frames import CloseCode, build_close
from dwebsocket.protocol.handshake import OWS, build_response
from dwebsocket.transports import poll
from dwebsocket.transports.base import Lock, remaining
from dwebsocket.transports.traffic import find_address, read_traffic
from dwebsocket.websocket import Message

__all__ = ["NativeWebSocket"]

#: What uWSGI returns for a message of which more is to come. (A message of this one byte looks the
#: same, and is refused, too.)
UNFINISHED = b"\0"

#: Seconds between two calls of a view that waits: uWSGI sends its Pings inside them.
CALL_INTERVAL = 1.0

#: The WebSockets that are open in this process.
websockets: set[NativeWebSocket] = set()
live.sources.append(lambda: list(websockets))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=websockets.clear)  # they are the parent's


class NativeWebSocket(SendingWebSocket):
    """Each call goes to uWSGI, which does the framing."""

    __slots__ = ("_fd", "_key", "_poller", "_received", "_receiving")

    _poller: Any  # waits for the connection and for the outbox
    _receiving: Lock

    def __init__(self, request: HttpRequest, server: Server, fd: int) -> None:
        super().__init__(server)
        self._key = request.META.get("HTTP_SEC_WEBSOCKET_KEY", "").strip(OWS)
        self._fd = fd
        self._received = 0

    # The opening handshake

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner | None:
        if use is Use.COROUTINE:
            raise SocketTakeoverError(
                "WebSockets cannot work here: with --https-socket an async view or handler cannot "
                "have one, for uWSGI's calls work in the request's own thread. Use --https, or a "
                "proxy."
            )
        return None

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        response = build_response(self._key, subprotocol, headers.items(), None)  # it may raise
        check_descriptors()
        self._transport = create_waiter(self._fd, gevent=self._server.is_gevent)
        self._read_lock = self._transport.create_lock()
        self._receiving = get_receiving_lock(self._transport.create_lock)
        self._poller = create_poller(gevent=self._server.is_gevent)
        self._outbox = Outbox()
        self._poller.register(self._outbox.wakeup_fd, poll.IN)
        websockets.add(self)
        try:
            self._transmit(response)
        except OSError as error:
            self._end(CloseCode.ABNORMAL_CLOSURE, f"the peer left during the handshake: {error}")

    def fileno(self) -> int:
        return self._transport.fileno() if self.accepted else -1

    # Receiving

    def receive_messages(self, deadline: float | None) -> list[Message]:
        self._check_owner()
        while not self._state.reading:
            messages = self._receive()
            if messages:
                return messages
            rest = remaining(deadline)
            if rest == 0.0 and not self._state.reading:
                raise TimeoutError("nothing was received in time")
            if not self._state.reading:
                self._wait(min(CALL_INTERVAL, rest or CALL_INTERVAL))
        return []

    def _wait(self, timeout: float) -> None:
        """Wait until something comes, from the peer or from a group, or can be sent again."""
        events = poll.IN | poll.OUT if self._outbox.items else poll.IN
        self._poller.register(self._transport.fileno(), events)
        self._poller.poll(timeout * 1000)
        self._outbox.clear_wakeup()

    def receive_available(self) -> list[Message]:
        return self._receive() if self._server.current() == self._owner else []

    def _count_received(self) -> int:
        return self._received

    def _count_waiting(self) -> int:
        return self._outbox.size

    def _read_traffic(self) -> tuple[int, int] | None:
        return read_traffic(self._transport.sock)

    def _find_address(self) -> str | None:
        return find_address(self._transport.sock)

    def _receive(self) -> list[Message]:
        """All messages that are here: uWSGI may hold several of them in its buffers."""
        self._flush(waits=False)
        messages: list[Message] = []
        empty = 0
        while empty < 2 and not self._state.reading:  # once may be an empty message
            payload = self._receive_one()
            empty = 0 if payload else empty + 1
            if payload:
                messages.append(as_message(payload))
        self._received += len(messages)
        if not (messages or self._state.reading) and self._transport.is_hung_up():
            self._end(CloseCode.ABNORMAL_CLOSURE, "the peer hung up")
        return messages

    def _receive_one(self) -> bytes:
        with self._receiving:
            try:
                payload: bytes = self._uwsgi.websocket_recv_nb()
            except OSError:
                self._note_end()
                return b""
            if payload == UNFINISHED:
                self._fail(CloseCode.UNSUPPORTED_DATA, "fragments are not supported here")
            elif len(payload) > conf.MAX_MESSAGE_SIZE:
                self._fail(CloseCode.MESSAGE_TOO_BIG, f"over {conf.MAX_MESSAGE_SIZE} bytes")
        return b"" if self._state.reading else payload

    def _note_end(self) -> None:
        """A Close came, which uWSGI has answered, or the peer is gone: it does not say which."""
        if self._transport.is_hung_up():
            self._end(CloseCode.ABNORMAL_CLOSURE, "the peer hung up")
        else:
            self._end(CloseCode.NO_STATUS_RCVD, "")

    def _fail(self, code: int, reason: str) -> None:
        """Close, and have uWSGI forget what it holds of this connection: a read that fails does it.
        Called with ``_receiving`` held.
        """
        self._end(code, reason)
        self._try_transmit(build_close(code, reason))
        put_under(self._fd, "/", os.O_RDONLY)
        try:
            while True:
                self._uwsgi.websocket_recv_nb()
        except OSError:
            put_under(self._fd, os.devnull, os.O_RDWR)

    # The end

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        if self._server.current() != self._owner:
            self._end(CloseCode.ABNORMAL_CLOSURE, "closed by another thread")
            self._transport.shutdown()
            return
        deadline = monotonic() + timeout
        self._flush(waits=timeout > 0)
        if not self._state.reading:
            self.end(code, reason)
            self._discard()  # uWSGI's first Ping leaves with the first call: not behind our Close
            self._ready.clear()
            self._outbox.stop()  # nothing is sent behind it
            self._send_close(code, reason)
        while self._answer_due and remaining(deadline):
            self._discard()
            if self._answer_due:
                self._transport.wait_readable(remaining(deadline))
        self._answer_due = False
        self._end(CloseCode.ABNORMAL_CLOSURE, "")

    def _discard(self) -> None:
        """Receive until the peer's Close, which ends it without an answer of ours."""
        with self._receiving:
            try:
                while self._uwsgi.websocket_recv_nb():
                    pass
            except OSError:
                self._answer_due = False
                return
        if self._transport.is_hung_up():
            self._answer_due = False

    def _finish(self) -> None:
        websockets.discard(self)
        if self.accepted:
            self._end(CloseCode.ABNORMAL_CLOSURE, "")
            self._outbox.close()
            self._transport.close()
            self._transport.sock.close()


def as_message(payload: bytes) -> Message:
    """uWSGI does not tell text from binary: text is what can be text."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload
