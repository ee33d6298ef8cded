"""The sending half of a WebSocket over a transport: a message is a frame, and leaves at once."""

from __future__ import annotations

from time import monotonic

from dwebsocket.backends.sockets.driver import Driver
from dwebsocket.backends.sockets.posting import MIN_COMPRESSED
from dwebsocket.backends.sockets.receiving import ReceivingWebSocket
from dwebsocket.conf import conf
from dwebsocket.protocol.deflate import PerMessageDeflate
from dwebsocket.protocol.frames import RSV1, SHORT_HEADERS, Opcode, build_frame_header
from dwebsocket.websocket import BytesLike, Message, as_bytes

__all__ = ["SendingWebSocket"]

TEXT, BINARY = int(Opcode.TEXT), int(Opcode.BINARY)

#: Answers to a batch leave together, but not more than this many bytes.
MAX_GATHERED = 65536

#: Below this, header and payload are joined: a copy is cheaper than a second part.
MAX_JOINED = 8192

#: A socket that has not been looked at for this many seconds is looked at before a send.
LOOK_INTERVAL = 1.0


class SendingWebSocket(ReceivingWebSocket):
    """What one thread or greenlet at a time does: the holder of ``_write_lock``."""

    __slots__ = ()

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
        if self._state.writing:
            return False
        if self._gathered:
            return self._gathered < MAX_GATHERED
        if monotonic() - self._heard > LOOK_INTERVAL:  # what is held back comes to no look there
            self._look_if_due()
        return (
            self.transport.gathers
            and not self._state.reading
            and self.transport.gather(self._flush_soon)
        )

    def _write(self, frame: bytes, payload: bytes = b"") -> None:
        """Write what was held back, then the frame, and wait until all of it has left."""
        if self._driver is not None:
            self._write_driven(self._driver, frame, payload)
            return
        now = monotonic()
        if now - self._heard > LOOK_INTERVAL:
            self._look_if_due()
        if self._state.reading:
            self._check_may_answer(now)
        lock = self._write_lock
        lock.acquire()
        try:
            if self._state.writing:
                raise self._closed_error()
            self.stand_back()
            if self._outgoing:
                frame = self._take_outgoing() + frame
            if payload:
                sent = self.transport.try_send_parts((frame, payload))
            else:
                sent = self.transport.try_send(frame)
            if sent != len(frame) + len(payload):
                self._send_rest(frame, payload, sent)
            if self._queued:
                self._count_queued()
        except OSError as error:
            self._lose(f"sending failed: {error}")
            raise self._closed_error() from error
        finally:
            lock.release()
            self._flush_after_writing()

    def _write_driven(self, driver: Driver, frame: bytes, payload: bytes) -> None:
        """The same where nobody waits: what the socket does not take waits."""
        if driver.busy and monotonic() - self._heard > LOOK_INTERVAL:
            self._look_if_due()
        if self._state.reading:
            self._check_may_answer(monotonic())
        try:
            with self._write_lock:
                if self._state.writing:
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
                elif self._queued:
                    self._count_queued()
        finally:
            self._flush_after_writing()  # what was left here meanwhile, above all a Close

    def _look_if_due(self) -> None:
        if monotonic() - self._looked > LOOK_INTERVAL:
            self._look_aside()

    def _send_rest(self, frame: bytes, payload: bytes, sent: int) -> None:
        deadline = self._send_deadline()
        if sent < len(frame):  # TLS must get the same again, and not less of it
            frame, payload = frame + payload, b""
        rest = memoryview(payload)[sent - len(frame) :] if payload else memoryview(frame)[sent:]
        try:
            self.transport.send(rest, deadline)
        except OSError:
            raise
        except BaseException:  # a Timeout of gevent's: nothing can follow half a frame
            self._lose("sending was interrupted in the middle of a frame")
            raise

    def _keep(self, frame: bytes) -> None:
        """The socket is full, and nobody waits here: the frame waits."""
        self._queue(frame)
        if self._state.writing:
            raise self._closed_error()

    def _send_deadline(self) -> float | None:
        timeout = conf.SEND_TIMEOUT
        return None if timeout is None else monotonic() + timeout

    def _flush_soon(self) -> None:
        """The hub runs: whoever gathered has given up control."""
        if self._outgoing:
            self.try_flush()

    def start_batch(self, messages: list[Message]) -> None:
        """Several messages are going to be answered, the last one first in the list."""
        self._ready = messages
        self.transport.start_gathering()

    def end_batch(self) -> None:
        """All have been answered: let the answers go."""
        self.transport.stop_gathering()
        if self._outgoing:
            self.try_flush()
