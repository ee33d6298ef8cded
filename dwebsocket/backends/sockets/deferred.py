"""An HTTP response that is written later, to a connection that has left its server meanwhile: a
poll that waits holds no thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.client import responses
from time import monotonic

from django.http import HttpResponse

from dwebsocket.backends import room
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sockets import sweeper
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.conf import conf
from dwebsocket.transports import Transport
from dwebsocket.transports.detach import ABOVE_SELECT

__all__ = ["Deferred", "defer"]

#: Bytes that a client may send behind its request.
MAX_BEHIND = 65536


class Deferred:
    """The ``Watcher`` of such a connection. The loop alone closes it: whoever else wants it to end
    shuts the socket down.
    """

    __slots__ = ("_behind", "_deadline", "_lock", "_reply", "_rest", "_transport")

    _deadline: float | None  # for the client to take the response
    _rest: bytes | None  # of the response, once there is one

    def __init__(self, transport: Transport, reply: Reply) -> None:
        self._transport = transport
        self._reply = reply
        self._lock = threading.Lock()  # held for an instant: who writes
        self._rest = self._deadline = None
        self._behind = MAX_BEHIND

    def start(self) -> None:
        """Wait for the answer. The server's request may end."""
        self._transport.watch(self)
        self._reply.when_given(self._write)

    def _write(self) -> None:
        """The answer is there: from any thread."""
        try:
            data = as_bytes(self._reply.build())
        except Exception:
            self._transport.shutdown()
            raise
        with self._lock:
            self._rest = data
            self._deadline = None if conf.SEND_TIMEOUT is None else monotonic() + conf.SEND_TIMEOUT
        self._flush()
        sweeper.watch_deadline(self)

    def _flush(self) -> None:
        with self._lock:
            if not self._rest:
                return
            try:
                self._rest = self._rest[self._transport.try_send(self._rest) :]
            except OSError:
                self._rest = b""
            if self._rest:
                self._transport.set_interest(reading=True, writing=True)
            else:
                self._transport.shutdown()  # the loop finds the end

    # What the loop calls

    def on_readable(self) -> bool:
        """The client has sent something, or has left."""
        try:
            received = self._transport.try_receive()
        except OSError:
            received = b"", 0
        if received is None:
            return False
        self._behind -= received[1]
        if not received[1] or self._behind < 0:
            self._end()
        return False

    def on_writable(self) -> None:
        """The socket takes data again."""
        self._flush()
        if self._rest == b"":
            self._transport.set_interest(reading=True, writing=False)

    def on_stalled(self) -> None:
        """Nothing here takes long."""

    def on_failure(self) -> None:
        """One of these has raised."""
        self._transport.shutdown()
        self._end()

    def _end(self) -> None:
        self._deadline = None
        self._transport.unwatch()
        self._transport.close()
        self._reply.tell_left()

    # What the sweeper calls

    def check_deadline(self, now: float) -> bool:
        """Whether there is none any more; one that has passed ends the connection."""
        deadline = self._deadline
        if deadline is None:
            return True
        if now < deadline:
            return False
        self._lose("the client does not take the response")
        return True

    def _lose(self, reason: str) -> None:
        self._deadline = None
        self._transport.shutdown()


def as_bytes(response: HttpResponse) -> bytes:
    """A response as HTTP/1.1 has it, the last one on its connection."""
    content = response.content
    reason = responses.get(response.status_code, "Unknown")
    headers = {**response.headers, "Content-Length": str(len(content)), "Connection": "close"}
    lines = [f"HTTP/1.1 {response.status_code} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def defer(takeover: Takeover, reply: Reply) -> Callable[[], None]:
    """Take a connection away from its server, and answer it when the reply is given.

    Returns:
        What is called in the server's thread before its request ends.

    Raises:
        TooFewDescriptors: too few would be left for others.
    """
    room.check_descriptors()
    transport, _ = takeover.take_transport()
    try:
        transport.prepare_watching()
        transport.detach(ABOVE_SELECT)
        takeover.leave()
    except BaseException:
        transport.give_back()
        raise
    Deferred(transport, reply).start()
    return takeover.finish_response
