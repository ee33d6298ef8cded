"""A WebSocket over a transport: what the backends that hold a socket or a descriptor share.

Who may do what: one thread or greenlet at a time reads (it holds ``_read_lock``), one at a time
writes (``_write_lock``); neither waits for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from time import monotonic

from django.http import HttpRequest

from dwebsocket.backends import sweeper
from dwebsocket.backends.driver import READ_LOCK, Driver, Listener, driven_class
from dwebsocket.backends.posting import MIN_COMPRESSED, PostingWebSocket
from dwebsocket.conf import conf
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import PerMessageDeflate, negotiate
from dwebsocket.protocol.frames import (
    RSV1,
    SHORT_HEADERS,
    CloseCode,
    Opcode,
    build_close,
    build_frame_header,
)
from dwebsocket.protocol.handshake import OWS, build_response
from dwebsocket.transports import Transport
from dwebsocket.transports.base import remaining
from dwebsocket.transports.detach import ABOVE_SELECT
from dwebsocket.websocket import BytesLike, Message, as_bytes

__all__ = ["SocketWebSocket"]

TEXT, BINARY = int(Opcode.TEXT), int(Opcode.BINARY)

#: Answers to a batch leave together, but not more than this many bytes (DESIGN: 64 KiB).
MAX_GATHERED = 65536

#: Below this, header and payload are joined: a copy is cheaper than a second part.
MAX_JOINED = 8192

#: A socket that has not been looked at for this many seconds is looked at before a send.
LOOK_INTERVAL = 1.0

#: Unread messages beyond these stop us from taking in more on our own account.
MAX_UNREAD = 64

#: Bytes received behind our Close that we are ready to throw away before we hang up.
MAX_DISCARDED = 1 << 24


class SocketWebSocket(PostingWebSocket):
    """A WebSocket that drives the protocol itself, over a ``Transport``."""

    __slots__ = (
        "_answering",
        "_connection",
        "_extensions",
        "_heard",
        "_key",
        "_looked",
        "_pinged",
    )

    # Reading: belongs to the holder of _read_lock.
    _connection: ServerConnection
    _heard: float  # when something was last received, time.monotonic()
    _looked: float  # when we last looked whether something has come
    # Until when answers to what came before the end may still be sent, time.monotonic().
    _answering: float

    def __init__(self, request: HttpRequest) -> None:
        super().__init__()
        meta = request.META
        self._key = meta.get("HTTP_SEC_WEBSOCKET_KEY", "").strip(OWS)
        self._extensions, self._deflate = self._negotiate(meta.get("HTTP_SEC_WEBSOCKET_EXTENSIONS"))
        self._connection = ServerConnection(conf.MAX_MESSAGE_SIZE, self._deflate)
        self._heard = self._looked = inf
        self._answering = 0.0
        self._pinged: float | None = None

    @staticmethod
    def _negotiate(offer: str | None) -> tuple[str | None, PerMessageDeflate | None]:
        if not conf.COMPRESSION:
            return None, None
        return negotiate(offer, context_takeover=conf.COMPRESSION_CONTEXT_TAKEOVER)

    # What a backend says

    def take_transport(self) -> tuple[Transport, bytes]:
        """Take the connection from the server; with the bytes it had already read of it.

        Raises:
            SocketTakeoverError: the server does not let go of it.
        """
        raise NotImplementedError

    # The opening handshake

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        response = build_response(self._key, subprotocol, headers.items(), self._extensions)
        sweeper.check_room()
        self.transport, early = self.take_transport()
        self._read_lock = self.transport.create_lock()
        self._write_lock = self.transport.create_lock()
        if self._deflate is not None and self._deflate.keeps_context:
            self._deflate_lock = self.transport.create_lock()
        self._heard = self._looked = monotonic()
        try:
            self.transport.send(response, self._send_deadline())
        except OSError as error:
            self._lose(f"the peer left during the handshake: {error}")
            return
        sweeper.add(self)
        if early:
            messages = self._receive(early, len(early), reading=True)
            messages.reverse()
            self._ready = messages

    def fileno(self) -> int:
        return self.transport.fileno() if self._accepted else -1

    def finish(self) -> None:
        self.transport.close()

    # Receiving

    def receive_messages(self, deadline: float | None) -> list[Message]:
        while not self._over:
            try:
                buffer, count = self.transport.receive(deadline)
            except OSError as error:
                if isinstance(error, TimeoutError) and remaining(deadline) == 0.0:
                    raise
                self._lose(f"the connection broke: {error}")
                break
            messages = self._receive(buffer, count, True)
            if messages:
                return messages
        self._answering = 0.0
        self._reply_close()
        return []

    def receive_available(self) -> list[Message]:
        return self._take_in(reading=True)

    def _take_in(self, *, reading: bool) -> list[Message]:
        """What has arrived, without waiting; not without bound if nobody reads it."""
        messages: list[Message] = []
        self._looked = monotonic()
        while not self._over:
            if self._is_full(messages):
                if self.transport.is_hung_up():
                    self._lose("the peer hung up")
                break
            try:
                received = self.transport.try_receive()
            except OSError as error:
                self._lose(f"the connection broke: {error}")
                break
            if received is None:
                break
            messages += self._receive(*received, reading, bool(messages))
        return messages

    def _is_full(self, messages: list[Message]) -> bool:
        unread = self._ready + messages if self._ready else messages
        return len(unread) > MAX_UNREAD or sum(map(len, unread)) > self._connection.max_size

    def _receive(
        self, buffer: bytes | bytearray, count: int, reading: bool, found: bool = False
    ) -> list[Message]:
        """Feed the protocol; ``reading``: on behalf of a view that asked for messages; ``found``:
        it is going to get some of an earlier read.
        """
        messages = self._connection.receive_data(buffer, count)
        return self._receive_more(count, messages, reading and (found or bool(messages)))

    def _receive_more(self, count: int, messages: list[Message], answering: bool) -> list[Message]:
        """What a read brought besides messages: a hang-up, Pings, an end."""
        if not count:
            self._lose("the peer hung up")
            return []
        self._heard = monotonic()
        connection = self._connection
        if connection.replies:
            self._queue_replies()
        if connection.finished:
            self._receive_end(answering=answering)
        return [] if self._mute else messages

    def _receive_end(self, *, answering: bool) -> None:
        """A Close, or a breach of the protocol: answers to what came before it may still leave."""
        connection = self._connection
        if connection.close is not None:
            self.close_code, self.close_reason = connection.close.code, connection.close.reason
        elif connection.failure is not None and self.close_code is None:
            self.close_code, self.close_reason = connection.failure.code, connection.failure.reason
        self._over = True
        if answering:
            self._answering = monotonic() + conf.CLOSE_TIMEOUT
        else:
            self._reply_close()

    def _queue_replies(self) -> None:
        replies = self._connection.replies
        if self._mute:
            replies.clear()
            return
        # A peer that does not take its Pongs does not get more of them.
        if sum(map(len, self._outgoing)) < MAX_GATHERED:
            self._outgoing += replies
        replies.clear()
        self.try_flush()

    # Sending

    def send(self, message: str | BytesLike) -> None:
        if isinstance(message, str):
            opcode, payload = TEXT, message.encode()
        elif isinstance(message, bytes):
            opcode, payload = BINARY, message
        else:
            opcode, payload = BINARY, as_bytes(message)
        length = len(payload)
        if length < 126:
            frame, rest = SHORT_HEADERS[opcode][length] + payload, b""
        elif self._deflate is not None and length >= MIN_COMPRESSED:
            self._send_compressed(self._deflate, opcode, payload)
            return
        elif length <= MAX_JOINED:
            frame, rest = build_frame_header(opcode, length) + payload, b""
        else:
            frame, rest = build_frame_header(opcode, length), payload
        if self._ready and not rest and self._may_gather():
            self._outgoing.append(frame)
            self._gathered += len(frame)
        elif self._driver is not None:
            self._write_driven(self._driver, frame, rest)
        else:
            self._write(frame, rest)

    def _send_compressed(self, deflate: PerMessageDeflate, opcode: int, payload: bytes) -> None:
        if not deflate.keeps_context:
            compressed = deflate.compress(payload)
            self._write(build_frame_header(opcode | RSV1, len(compressed)), compressed)
            return
        with self._deflate_lock:  # compressed in the order in which it is sent
            compressed = deflate.compress(payload)
            self._write(build_frame_header(opcode | RSV1, len(compressed)), compressed)

    def send_ping(self, payload: bytes) -> None:
        self._write(build_frame_header(Opcode.PING, len(payload)) + payload)

    def _may_gather(self) -> bool:
        """Whether an answer may wait until the other messages of the same read have theirs."""
        if self._mute:
            return False
        if self._gathered:
            return self._gathered < MAX_GATHERED
        return self.transport.gathers and not self._over and self.transport.gather(self._flush_soon)

    def _write(self, frame: bytes, payload: bytes = b"") -> None:
        """Write what was held back, then the frame, and wait until all of it has left."""
        if self._driver is not None:
            self._write_driven(self._driver, frame, payload)
            return
        now = monotonic()
        if now - self._heard > LOOK_INTERVAL and now - self._looked > LOOK_INTERVAL:
            self._look_aside()
        if self._over:
            self._check_may_answer(now)
        lock = self._write_lock
        lock.acquire()
        try:
            if self._mute or self._last:
                raise self._closed_error()
            self.stand_back()
            if self._outgoing:
                frame = self._take_outgoing() + frame
            sent = (
                self.transport.try_send_parts((frame, payload))
                if payload
                else (self.transport.try_send(frame))
            )
            if sent != len(frame) + len(payload):
                self._send_rest(frame, payload, sent)
        except OSError as error:
            self._lose(f"sending failed: {error}")
            raise self._closed_error() from error
        finally:
            lock.release()
            self._flush_after_writing()

    def _write_driven(self, driver: Driver, frame: bytes, payload: bytes) -> None:
        """The same where nobody waits: what the socket does not take waits."""
        if self._over:
            self._check_may_answer(monotonic())
        with self._write_lock:
            if self._mute or self._last:
                raise self._closed_error()
            if driver.blocked:
                self._keep(frame + payload)
                return
            if self._outgoing:
                frame = self._take_outgoing() + frame
            try:
                if payload:
                    sent = self.transport.try_send_parts((frame, payload))
                else:
                    sent = self.transport.try_send(frame)
            except OSError as error:
                self._lose(f"sending failed: {error}")
                raise self._closed_error() from error
            if sent != len(frame) + len(payload):
                self._put_back((frame + payload)[sent:], sent)
        self._flush_after_writing()

    def _check_may_answer(self, now: float) -> None:
        """The connection is over: only answers to what came before its end may still be sent."""
        self._check_accepted()
        if now > self._answering:
            self._reply_close()
            raise self._closed_error()

    def _look_aside(self) -> None:
        """Take in what has arrived on behalf of a view that does not read at the moment."""
        if self._read_lock.acquire(False):
            try:
                messages = self._take_in(reading=False)
                messages.reverse()
                self._ready[:0] = messages
            finally:
                self._read_lock.release()

    def _send_rest(self, frame: bytes, payload: bytes, sent: int) -> None:
        deadline = self._send_deadline()
        if sent < len(frame):  # TLS must get the same again, and not less of it
            frame, payload = frame + payload, b""
        rest = memoryview(payload)[sent - len(frame) :] if payload else memoryview(frame)[sent:]
        self.transport.send(rest, deadline)

    def _keep(self, frame: bytes) -> None:
        """The socket is full, and nobody waits here: the frame waits."""
        self._queue(frame)
        if self._last:
            raise self._closed_error()

    def _send_deadline(self) -> float | None:
        timeout = conf.SEND_TIMEOUT
        return None if timeout is None else monotonic() + timeout

    def _flush_soon(self) -> None:
        """The hub runs: whoever gathered has given up control."""
        if self._outgoing and not self._mute:
            self.try_flush()

    # The end

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        frame = build_close(code, reason)
        deadline = monotonic() + timeout
        self._answering = 0.0
        if self._driver is not None:
            self._close_driven(self._driver, frame, timeout)
            return
        if self._over:
            self._reply_close(deadline)
        else:
            self._send_close(frame, deadline)
        self._await_end(deadline)
        self._ready.clear()
        if self.close_code is None:
            self.close_code, self.close_reason = CloseCode.ABNORMAL_CLOSURE, ""
        self._over = True
        self.transport.shutdown()
        self.stop_flushing()
        self._leave()

    def _leave(self) -> None:
        """The connection has ended, whatever ended it: nobody keeps it any more."""
        sweeper.discard(self)
        self.leave_groups()

    def _reply_close(self, deadline: float | None = None) -> None:
        """Answer the peer's Close, or its breach of the protocol (RFC 6455, 5.5.1 and 7.1.7)."""
        connection = self._connection
        if self._mute:
            return
        if connection.close is not None:
            self._send_close(build_close(connection.close.code), deadline)
        elif connection.failure is not None:
            failure = connection.failure
            self._send_close(build_close(failure.code, failure.reason), deadline)

    def _send_close(self, frame: bytes, deadline: float | None) -> None:
        """Send our Close, once; without a deadline only as far as that goes without waiting."""
        if self._mute:
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
            if not self._mute:
                self.stand_back()
                data = self._take_outgoing() + (self._last or frame)
                self.transport.send(data, monotonic() if deadline is None else deadline)
        except OSError as error:
            self._lose(f"closing failed: {error}")
        finally:
            self._mute = True
            self._write_lock.release()

    def _close_driven(self, driver: Driver, frame: bytes, timeout: float) -> None:
        """Nobody waits for the peer's Close, the loop will find it."""
        self._ready.clear()
        if not self._over:
            self._send_last(frame)
            driver.close(timeout)

    def _send_last(self, frame: bytes) -> None:
        """Send our Close, once, behind what waits already."""
        with self._write_lock:
            if self._mute:
                return
            self._final = self._take_outgoing() + (self._last or frame)  # the first Close counts
            self._mute = True
        self.try_flush()

    def _await_end(self, deadline: float) -> None:
        """Read until the peer's Close, throwing away what comes before it (RFC 6455, 7.1.1)."""
        if not self._read_lock.acquire(timeout=remaining(deadline)):
            return
        try:
            rest = MAX_DISCARDED
            while not self._over and rest > 0:
                buffer, count = self.transport.receive(deadline)
                rest -= count
                self._receive(buffer, count, reading=False)
            if self._connection.failure is not None and not self._lost:
                self._linger(deadline, rest)
        except OSError:
            pass
        finally:
            self._read_lock.release()

    def end_writing(self) -> None:
        """Tell the peer that nothing more follows."""
        self.transport.shutdown_writing()

    def _linger(self, deadline: float, rest: int) -> None:
        """After a breach nothing can be parsed: hang up without tearing our Close away from the
        peer, as closing with unread input would (RFC 6455, 7.1.1).
        """
        self.end_writing()
        while rest > 0:
            _, count = self.transport.receive(deadline)
            if not count:
                return
            rest -= count

    def _lose(self, reason: str) -> None:
        """The connection broke: nothing more comes, nothing more goes, whoever waits wakes up."""
        self._over = self._lost = self._mute = True
        if self.close_code is None:
            self.close_code, self.close_reason = CloseCode.ABNORMAL_CLOSURE, reason
        self.transport.shutdown()
        self._leave()

    @property
    def closed(self) -> bool:
        # A handler does not wait for the answer to its Close.
        return self._mute or super().closed

    # What a driver does, on behalf of a handler

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        if not self._accepted or not self.transport.detach(ABOVE_SELECT):
            return None
        listener.calls_anew = self.transport.calls_anew
        self._driver = Driver(self, listener)
        self.__class__ = driven_class(type(self))
        self._read_lock = READ_LOCK
        self._looked = inf  # the loop looks
        return self._driver.start

    @property
    def has_failed(self) -> bool:
        """Whether the peer broke the protocol."""
        return self._connection.failure is not None

    def take_unread(self) -> list[Message]:
        """The messages that came with the handshake, in their order."""
        messages, self._ready = self._ready, []
        messages.reverse()
        return messages

    def receive_once(self) -> list[Message]:
        """The messages that one read completes."""
        try:
            received = self.transport.try_receive()
        except OSError as error:
            self._lose(f"the connection broke: {error}")
            return []
        if received is None:
            return []
        buffer, count = received
        connection = self._connection
        messages = connection.receive_data(buffer, count)
        if not count or connection.finished or connection.replies:
            return self._receive_more(count, messages, bool(messages))
        self._heard = monotonic()
        return messages

    def start_batch(self, messages: list[Message]) -> None:
        """Several messages are going to be answered, the last one first in the list."""
        self._ready = messages
        self.transport.start_gathering()

    def end_batch(self) -> None:
        """All have been answered: let the answers go."""
        self.transport.stop_gathering()
        if self._outgoing:
            self.try_flush()

    def end_answers(self) -> None:
        """The connection is over, and what came before has been answered."""
        self._answering = 0.0
        self._reply_close()

    def release(self) -> None:
        """The loop is done with it: give the descriptor back."""
        self._leave()
        with self._write_lock:
            self._mute = self._lost = True
            self.transport.shutdown()
            self.transport.close()
        self._outgoing.clear()
        self._final = b""
        self._driver = None

    # What the sweeper does

    def get_stop_code(self) -> int | None:
        """The close code for the end of the server, once it has been told to end."""
        return None

    def sweep(self, now: float, interval: float | None, timeout: float | None) -> bool:
        """Send a Ping after ``interval`` seconds of silence; whether the peer was dropped because
        it left one unanswered for ``timeout`` seconds. Never blocks.
        """
        if self._over:
            if now > self._heard + conf.CLOSE_TIMEOUT and now > self._answering:
                self._reply_close()
            return False
        if self._pinged is not None and self._heard > self._pinged:
            self._pinged = None  # answered
        if interval is None or now - self._heard < interval:
            return False
        driver = self._driver
        if driver is not None and (driver.busy or self.transport.has_unread()):
            return False  # the loop does not read meanwhile, or has not come to it
        if self._pinged is None:
            self._pinged = now
            self._outgoing.append(build_frame_header(Opcode.PING, 0))
            self.try_flush()
            return False
        self._look_aside()
        if self._over or timeout is None or now - max(self._pinged, self._heard) < timeout:
            return False
        self._lose(f"the peer did not answer a Ping within {timeout} seconds")
        return True

    def go_away(self, code: int) -> None:
        """The process ends: send a Close without waiting for anything."""
        self._send_close(build_close(code), None)
