"""A connection that has been taken from its server and goes on in the server's event loop: there a
protocol of ours is on asyncio's transport. To the parts of its WebSocket it is a server: they call
``receive`` and ``send``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import PerMessageDeflate
from dwebsocket.protocol.frames import CloseCode, Opcode, build_close, build_frame_header
from dwebsocket.transports.poll import is_hung_up

from .connection import Event
from .events import build_compressed
from .keepalive import get_keep_alive
from .loop_received import Received
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
        owner: closes the WebSocket when the server ends.
        received: what has come and was not taken.
        transport: asyncio's.
    """

    __slots__ = (
        *("_deflate", "_has_closed", "_loop", "_pinged", "_rest", "_server", "_writable"),
        *("is_full", "last_received", "owner", "received", "transport"),
    )

    _has_closed: bool  # our Close has been written
    _pinged: float | None  # when our Ping left that has not been answered
    _rest: int | None  # bytes that are still thrown away behind a breach of the protocol
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
        self.transport = server.transport
        connection = ServerConnection(conf.MAX_MESSAGE_SIZE, deflate)
        self.received = Received(connection, server.transport, loop, self._look)
        self.owner: Any = None
        self.last_received = 0.0
        self._pinged = self._rest = self._writable = None
        self._has_closed = self.is_full = False

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

    # What asyncio calls

    def data_received(self, data: bytes) -> None:
        """Decode it, and wake whoever waits."""
        self.last_received = self._loop.time()
        if self._rest is not None:
            self._discard(len(data))
            return
        received = self.received
        received.feed(data)
        if received.connection.replies or received.connection.finished:
            self._look()

    def _look(self) -> None:
        """See to what has come besides messages."""
        connection = self.received.connection
        if connection.replies:
            replies, connection.replies = connection.replies, []
            if not self._has_closed and self.transport.get_write_buffer_size() < MAX_REPLIES:
                self.write(b"".join(replies))
        if connection.finished:
            why = connection.close or connection.failure
            assert why is not None
            self.received.stop(why.code, why.reason)
            if self._has_closed:
                self._hang_up()

    def eof_received(self) -> None:
        """The peer has hung up, and asyncio closes the transport."""
        self.received.stop(CloseCode.ABNORMAL_CLOSURE, "the peer hung up")
        self._abort_soon(closes=False)

    def connection_lost(self, error: Exception | None) -> None:
        """The last thing that asyncio calls."""
        why = "the peer hung up" if error is None else f"the connection broke: {error}"
        self.received.stop(CloseCode.ABNORMAL_CLOSURE, why)
        self._has_closed = True
        self.resume_writing()
        self.received.connection.forget()
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
        """The server ends: close it; always told at once."""
        if self.owner is None or self.received.end is not None:
            self._abort_soon()
        else:
            self.owner.close_nowait(self._server.get_stop_code(), "")
            self._loop.call_later(GRACE, self.transport.abort)
        return True

    # What the parts of the WebSocket call

    async def receive(self) -> Event:
        """The next message, or the end, which is told as often as somebody asks."""
        received = self.received
        while (event := received.take_event()) is None:
            await received.wait()
        return event

    async def send(self, event: Event) -> None:
        """Write a message or our Close, and wait while more waits than the transport wants.

        Raises:
            ConnectionError: the connection has ended.
        """
        if self._has_closed:
            end = self.received.end
            raise ConnectionResetError(end[1] if end else "the connection is closed")
        if event["type"] == "websocket.close":
            self._close(build_close(event["code"], event["reason"]))
            if self.received.end is not None:
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
        received = self.received
        if received.end is not None:
            if now > self.last_received + conf.CLOSE_TIMEOUT:
                self.answer_end()
            elif self.owner is not None and now > self.last_received + PATIENCE:
                self.owner._notice_end()
            return None
        if received.is_paused:  # neither the end nor a Pong is seen behind what is unread
            self._look_for_hang_up()
            if received.was_taken:
                received.was_taken, self.last_received = False, now
        # uvloop's clock counts milliseconds: an answer may come in that of the Ping.
        if self._pinged is not None and self.last_received >= self._pinged:
            self._pinged = None
        if interval is None or now - self.last_received < interval:
            return None
        if self._pinged is None:
            self._pinged = now
            if not self._has_closed:
                self.write(PING)
        elif timeout is not None and now - max(self._pinged, self.last_received) >= timeout:
            reason = f"the peer did not answer a Ping within {timeout} seconds"
            self.received.stop(CloseCode.ABNORMAL_CLOSURE, reason)
            self.transport.abort()
            return reason
        return None

    async def _wait_for_room(self) -> None:
        writable = self._writable = self._loop.create_future()
        try:
            await writable
        finally:
            if self._writable is writable:
                self._writable = None

    # The end

    def answer_end(self) -> None:
        """Answer the peer's Close, or its breach of the protocol (RFC 6455, 5.5.1 and 7.1.7): all
        that came before it has been worked on.
        """
        answer = self.received.connection.build_answer()
        if answer is not None and not self._has_closed:
            self._close(answer)
            self._hang_up()

    def _close(self, frame: bytes) -> None:
        """Write our Close, the last frame."""
        self._has_closed = True
        self.write(frame)
        self.received.resume()  # what comes is thrown away, up to the peer's Close

    def _hang_up(self) -> None:
        """End the connection without tearing our Close away from the peer: what was written leaves
        first, and after a breach of the protocol what comes is thrown away for a while.
        """
        if self.received.connection.failure is None:
            self._abort_soon()
            return
        self._rest = MAX_DISCARDED
        end = self._abort_soon  # TLS cannot say that nothing follows, and go on to read
        if self.transport.can_write_eof():
            self.transport.write_eof()
            end = self.transport.abort
        self.received.resume()
        self._loop.call_later(conf.CLOSE_TIMEOUT, end)

    def _look_for_hang_up(self) -> None:
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0 and is_hung_up(sock.fileno()):
            self.received.stop(CloseCode.ABNORMAL_CLOSURE, "the peer hung up")
            self.transport.abort()

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
        # Of TLS asyncio waits half a minute for the peer's word that it closes, too.
        if transport.get_write_buffer_size() or transport.get_extra_info("sslcontext") is not None:
            self._loop.call_later(conf.CLOSE_TIMEOUT, transport.abort)
        if closes:
            transport.close()
