"""A connection that has been taken from its server and goes on in the server's event loop: there a
protocol of ours is on asyncio's transport. To the parts of its WebSocket it is a server: they call
``receive`` and ``send``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import PerMessageDeflate
from dwebsocket.protocol.frames import CloseCode, Opcode, build_close, build_frame_header
from dwebsocket.protocol.messages import Message

from .connection import Event
from .events import build_compressed
from .keepalive import get_keep_alive
from .parts import GRACE
from .servers import AsgiTakeover

__all__ = ["LoopProtocol"]

#: Beyond this many bytes that wait for a peer it gets no further Pongs.
MAX_REPLIES = 65536

#: Bytes thrown away after a breach of the protocol, before we hang up whatever else comes.
MAX_DISCARDED = 1 << 24

#: Seconds after which the end is told to those who have not asked.
PATIENCE = 1.0

PING = build_frame_header(Opcode.PING, 0)


class LoopProtocol(asyncio.Protocol):
    """Belongs to the event loop.

    Attributes:
        is_full: more waits in the transport than it wants to have.
        last_received: when something came, the loop's time.
        messages: those that have come and were not taken, the oldest first.
        owner: closes the WebSocket when the server ends.
        transport: asyncio's.
    """

    __slots__ = (
        *(
            "_cost",
            "_deflate",
            "_end",
            "_has_closed",
            "_incoming",
            "_is_paused",
            "_loop",
            "_pinged",
        ),
        *("_rest", "_server", "_waiter", "_writable"),
        *("is_full", "last_received", "messages", "owner", "transport"),
    )

    _end: tuple[int, str] | None  # why nothing further comes
    _has_closed: bool  # our Close has been written
    _is_paused: bool  # nothing is read: too much waits to be taken
    _pinged: float | None  # when our Ping left that has not been answered
    _rest: int | None  # bytes that are still thrown away behind a breach of the protocol
    _waiter: asyncio.Future[None] | None  # somebody waits for a message
    _writable: asyncio.Future[None] | None  # somebody waits for room

    def __init__(
        self,
        server: AsgiTakeover,
        loop: asyncio.AbstractEventLoop,
        deflate: PerMessageDeflate | None,
    ) -> None:
        self._server = server
        self._loop = loop
        self._deflate = deflate
        self._incoming = ServerConnection(conf.MAX_MESSAGE_SIZE, deflate)
        self.transport = server.transport
        self.messages: list[Message] = []
        self.owner: Any = None
        self.last_received = 0.0
        self._cost = 0
        self._end = self._pinged = self._rest = self._waiter = self._writable = None
        self._has_closed = self._is_paused = self.is_full = False

    def open(self, response: bytes) -> None:
        """Take the connection, and answer the handshake.

        Raises:
            ConnectionAbortedError: the server has closed it.
        """
        server = self._server
        if server.has_ended:
            raise ConnectionAbortedError("the server has closed the connection")
        early = server.take_early_bytes()
        self.transport.set_protocol(self)
        server.release()
        server.register(self)
        self.last_received = self._loop.time()
        get_keep_alive(self._loop).add(self, self._loop)
        self.transport.write(response)
        self.transport.resume_reading()
        if early:
            self.data_received(early)

    @property
    def may_answer(self) -> bool:
        """Whether what has come before the end may still be answered."""
        return not (self._has_closed or self.transport.is_closing())

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes behind ``messages``."""
        return self._end is not None

    # What asyncio calls

    def data_received(self, data: bytes) -> None:
        """Decode it, and wake whoever waits."""
        self.last_received = self._loop.time()
        incoming = self._incoming
        if self._rest is not None:
            self._discard(len(data))
            return
        found = incoming.receive_data(data, len(data), self._cost)
        if found:
            self.messages += found
            if self._waiter is not None and len(found) == 1:  # usually it is taken at once
                self.wake()
            else:
                self._count(found)
        if incoming.replies or incoming.finished or incoming.rest:
            self._take_in()

    def _count(self, found: list[Message]) -> None:
        """Messages wait: count them, and read no more if it is too much."""
        self._cost += cost_of(found)
        if self._cost > RESERVE:
            self._pause()
        self.wake()

    def _take_in(self) -> None:
        """What a read has brought besides messages, or left."""
        incoming = self._incoming
        if incoming.replies:
            replies, incoming.replies = incoming.replies, []
            if not self._has_closed and self.transport.get_write_buffer_size() < MAX_REPLIES:
                self.write(b"".join(replies))
        if incoming.rest:
            self._pause()
        if incoming.finished:
            why = incoming.close or incoming.failure
            assert why is not None
            self._stop(why.code, why.reason)
            if self._has_closed:
                self._hang_up()

    def eof_received(self) -> None:
        """The peer has hung up, and asyncio closes the transport."""
        self._stop(CloseCode.ABNORMAL_CLOSURE, "the peer hung up")
        self._abort_soon(closes=False)

    def connection_lost(self, error: Exception | None) -> None:
        """The last thing that asyncio calls."""
        why = "the peer hung up" if error is None else f"the connection broke: {error}"
        self._stop(CloseCode.ABNORMAL_CLOSURE, why)
        self._has_closed = True
        self.resume_writing()
        self._incoming.forget()
        get_keep_alive(self._loop).discard(self)
        self._server.deregister(self)
        if self.owner is not None:  # behind whoever waits, and is woken
            self._loop.call_soon(self.owner._notice_end)
            self.owner = None

    def pause_writing(self) -> None:
        """The transport has enough."""
        self.is_full = True

    def resume_writing(self) -> None:
        """It takes more."""
        self.is_full = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def shutdown(self) -> bool:
        """The server ends."""
        if self.owner is None or self._end is not None:
            self._abort_soon()
        else:
            self.owner.close_nowait(self._server.get_stop_code(), "")
            self._loop.call_later(GRACE, self.transport.abort)
        return True

    # What the parts of the WebSocket call

    async def receive(self) -> Event:
        """The next message, or the end, which is told as often as somebody asks."""
        while not self.messages:
            if self._end is not None:
                return describe_end(*self._end)
            await self.wait()
        message = self.take()
        kind = "text" if isinstance(message, str) else "bytes"
        return {"type": "websocket.receive", kind: message}

    def take(self) -> Message:
        """Take out a message that is there."""
        message = self.messages.pop(0)
        if self._cost:
            self._give_back(message)
        return message

    def receive_now(self) -> Event | None:
        """The next message that is here, or the end."""
        if self.messages:
            message = self.take()
            kind = "text" if isinstance(message, str) else "bytes"
            return {"type": "websocket.receive", kind: message}
        return None if self._end is None else describe_end(*self._end)

    async def send(self, event: Event) -> None:
        """Write a message or our Close, and wait while more waits than the transport wants.

        Raises:
            ConnectionError: the connection has ended.
        """
        if self._has_closed:
            raise ConnectionResetError(self._end[1] if self._end else "the connection is closed")
        if event["type"] == "websocket.close":
            self._close(build_close(event["code"], event["reason"]))
            if self._end is not None:
                self._hang_up()
        else:
            self.write(self._build_frame(event))
        while self.is_full:
            await self._wait_for_room()

    def _build_frame(self, event: Event) -> bytes:
        frame: bytes | None = event.get("frame")
        if frame is None:
            assert self._deflate is not None
            frame = build_compressed(event["opcode"], event["payload"], self._deflate)
        return frame

    def write(self, data: bytes) -> None:
        """Write whole frames."""
        if data and not self.transport.is_closing():  # asyncio would log a warning then
            self.transport.write(data)

    def finish(self) -> None:
        """The WebSocket, and what has used it, have ended."""
        self.owner = None
        if self._rest is None and not self.transport.is_closing():
            self._hang_up()

    def sweep(self, now: float, interval: float | None, timeout: float | None) -> str | None:
        """Send a Ping after ``interval`` seconds of silence; why the peer is dropped, because it
        left one unanswered for ``timeout`` seconds. See to a Close that nobody has answered.
        """
        if self._end is not None:
            if now > self.last_received + conf.CLOSE_TIMEOUT:
                self.answer_end()
            elif self.owner is not None and now > self.last_received + PATIENCE:
                self.owner._notice_end()
            return None
        if self._pinged is not None and self.last_received > self._pinged:
            self._pinged = None  # answered
        if interval is None or self._is_paused or now - self.last_received < interval:
            return None
        if self._pinged is None:
            self._pinged = now
            if not self._has_closed:
                self.write(PING)
        elif timeout is not None and now - max(self._pinged, self.last_received) >= timeout:
            reason = f"the peer did not answer a Ping within {timeout} seconds"
            self._stop(CloseCode.ABNORMAL_CLOSURE, reason)
            self.transport.abort()
            return reason
        return None

    # Waiting

    async def wait(self) -> None:
        """Wait for a message or for the end, or until ``wake`` is called. One at a time."""
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None

    def wake(self) -> None:
        """Let whoever waits look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait_for_room(self) -> None:
        writable = self._writable = self._loop.create_future()
        try:
            await writable
        finally:
            if self._writable is writable:
                self._writable = None

    # Reading

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _give_back(self, message: Message) -> None:
        """A message that was counted has been taken: go on where there was no room."""
        self._cost = self._cost - cost_of([message]) if self.messages else 0
        incoming = self._incoming
        if not self._is_paused or self._cost > RESERVE:
            return
        if incoming.rest:
            found = incoming.receive_rest(self._cost)
            self.messages += found
            self._cost += cost_of(found)
            self._take_in()
        if not incoming.rest and self._cost <= RESERVE and self._end is None:
            self._resume()

    def _resume(self) -> None:
        self._is_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # The end

    def _stop(self, code: int, reason: str) -> None:
        """Nothing further comes: the first reason counts."""
        if self._end is None:
            self._end = code, reason
            self.wake()

    def answer_end(self) -> None:
        """Answer the peer's Close, or its breach of the protocol (RFC 6455, 5.5.1 and 7.1.7): all
        that came before it has been worked on.
        """
        answer = self._incoming.build_answer()
        if answer is not None and not self._has_closed:
            self._close(answer)
            self._hang_up()

    def _close(self, frame: bytes) -> None:
        """Write our Close, the last frame."""
        self._has_closed = True
        self.write(frame)
        if self._is_paused:  # what comes is thrown away, up to the peer's Close
            self._resume()

    def _hang_up(self) -> None:
        """End the connection without tearing our Close away from the peer: what was written leaves
        first, and after a breach of the protocol what comes is thrown away for a while.
        """
        if self._incoming.failure is not None and self.transport.can_write_eof():
            self._rest = MAX_DISCARDED
            self.transport.write_eof()
            if self._is_paused:
                self._resume()
            self._loop.call_later(conf.CLOSE_TIMEOUT, self.transport.abort)
        else:
            self._abort_soon()

    def _discard(self, count: int) -> None:
        assert self._rest is not None
        self._rest -= count
        if self._rest < 0:
            self.transport.abort()

    def _abort_soon(self, *, closes: bool = True) -> None:
        """Close the transport when what was written has left, and do not wait for ever for that."""
        transport = self.transport
        if transport.is_closing():  # TLS takes a second close() for the end
            return
        if transport.get_write_buffer_size():
            self._loop.call_later(conf.CLOSE_TIMEOUT, transport.abort)
        if closes:
            transport.close()


def describe_end(code: int, reason: str) -> Event:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}
