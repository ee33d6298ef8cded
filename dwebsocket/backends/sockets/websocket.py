"""A WebSocket over a transport: what the backends that hold a socket or a descriptor share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

from django.http import HttpRequest

from dwebsocket.backends import room
from dwebsocket.backends.beside import Beside
from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.backends.listening import Listener, ListenerLock
from dwebsocket.backends.runner import Run, Runner, Use
from dwebsocket.backends.sockets import sweeper, transit
from dwebsocket.backends.sockets.coroutines import CoroutineUse
from dwebsocket.backends.sockets.decompressing import take_turns
from dwebsocket.backends.sockets.detaching import DetachedRunner, create_runner
from dwebsocket.backends.sockets.driver import Driver
from dwebsocket.backends.sockets.keepalive import ping_or_drop
from dwebsocket.backends.sockets.reader import Reader
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.backends.sockets.writer import Writer, send_deadline
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
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
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.running.event_loop import is_in_event_loop
from dwebsocket.transports import Transport
from dwebsocket.transports.base import remaining
from dwebsocket.transports.descriptors import is_full
from dwebsocket.transports.traffic import find_address, read_traffic
from dwebsocket.websocket import BaseWebSocket, BytesLike, Message

__all__ = ["MIN_COMPRESSED", "SocketWebSocket"]

TEXT, BINARY = int(Opcode.TEXT), int(Opcode.BINARY)
#: Below this, header and payload are joined: a copy is cheaper than a second part.
MAX_JOINED = 8192

#: Below this, compressing costs more than it saves.
MIN_COMPRESSED = 1024

take_turns()


class SocketWebSocket(BaseWebSocket):
    """A WebSocket that drives the protocol itself.

    It has a reader and a writer; a driver on behalf of a handler; and what coroutines need.
    """

    __slots__ = (
        *("_coroutines", "_extensions", "_key", "_pinged", "_reader", "_stop_signal", "_takeover"),
        *("_transport", "_writer"),
    )

    #: Whoever has had a message answers it before the next read.
    _answers_later = False

    _stop_signal: Callable[[], int | None] | None
    _takeover: Takeover | None  # until the server's request has ended
    _transport: Transport

    def __init__(self, request: HttpRequest, takeover: Takeover) -> None:
        super().__init__()
        self._takeover = takeover
        self._stop_signal = None
        meta = request.META
        self._key = meta.get("HTTP_SEC_WEBSOCKET_KEY", "").strip(OWS)
        self._extensions, deflate = self._agree(meta.get("HTTP_SEC_WEBSOCKET_EXTENSIONS"))
        connection = ServerConnection(conf.MAX_MESSAGE_SIZE, deflate)
        self._reader = Reader(self, self._state, connection)
        self._writer = self._reader.outgoing = Writer(self, self._state, self._reader)
        self._writer.deflate = deflate
        self._coroutines: CoroutineUse | None = None
        self._pinged: float | None = None

    # The opening handshake

    def _agree(self, offer: str | None) -> tuple[str | None, PerMessageDeflate | None]:
        """What the 101 says about extensions, and what compresses."""
        if not conf.COMPRESSION:
            return None, None
        return negotiate(offer, context_takeover=conf.COMPRESSION_CONTEXT_TAKEOVER)

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner | None:
        assert self._takeover is not None
        return create_runner(self, self._takeover, request, use, accepts=accepts)

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        response = build_response(self._key, subprotocol, headers.items(), self._extensions)
        takeover = self._takeover
        assert takeover is not None
        sweeper.expect(self, takeover.max_connections, takeover.others)
        try:
            self._accept(response, takeover)
        except OSError as error:
            if is_full(error) and not self.accepted:  # since we have looked
                raise room.TooFewDescriptors from error
            raise
        finally:
            sweeper.give_up(self)

    def _accept(self, response: bytes, takeover: Takeover) -> None:
        early = self._take_connection(takeover)
        self._state.open()
        try:
            self._transport.send(response, send_deadline())
        except OSError as error:
            self._lose(f"the peer left during the handshake: {error}")
            return
        sweeper.add(self)
        if early:
            messages = self._reader.feed(early, len(early), reading=True)
            messages.reverse()
            self._ready = messages

    def _take_connection(self, takeover: Takeover) -> bytes:
        """All that can fail: take the connection, and what it needs; what has come early."""
        self._stop_signal = takeover.find_stop_signal()
        self._transport, early = takeover.take_transport()
        self._read_lock = self._transport.create_lock()
        self._reader.take(self._transport)
        self._writer.take(self._transport)
        try:
            self._transport.prepare_watching()
            if isinstance(self._runner, DetachedRunner):
                self._runner.detach(self._transport)
            takeover.leave()
        except BaseException:
            self._transport.give_back()
            raise
        return early

    def fileno(self) -> int:
        return self._transport.fileno() if self.accepted else -1

    def _deregister(self, beside: Beside | None = None) -> None:
        """Keep nothing of the server's: its request, which may run ``beside``, is about to end."""
        takeover, self._takeover = self._takeover, None
        if takeover is not None:
            finish = takeover.finish_response
            finish() if beside is None else beside.call_in_server(finish)

    def _finish(self) -> None:
        self._transport.close()
        self._reader.connection.forget()
        self._deregister()

    # Messages

    def receive_messages(self, deadline: float | None) -> list[Message]:
        reader, state, transport = self._reader, self._state, self._transport
        self._flush_answers()
        while not state.reading:
            if reader.connection.rest:
                transport.take_turn()
                messages = reader.receive_rest(reading=True, turn=reader.turn)
            else:
                try:
                    buffer, count = transport.receive(deadline)
                except OSError as error:
                    if isinstance(error, TimeoutError) and remaining(deadline) == 0.0:
                        raise
                    self._lose(f"the connection broke: {error}")
                    break
                messages = reader.feed(buffer, count, True, turn=reader.turn)
            if messages:
                if len(messages) > 1:
                    transport.start_gathering()
                return messages
        reader.end_answers()
        return []

    def _flush_answers(self) -> None:
        """Hold nothing back: the last message of a batch was not answered."""
        if self._writer.outbox.frames:
            self._writer.try_flush()

    def _receive_or_release(self, deadline: float | None) -> list[Message]:
        self._flush_answers()
        messages = super()._receive_or_release(deadline)
        if len(messages) > 1:
            self._transport.start_gathering()
        return messages

    def receive_available(self) -> list[Message]:
        return self._reader.receive_available()

    def _count_received(self) -> int:
        return self._reader.connection.received

    def _count_waiting(self) -> int:
        return self._writer.outbox.size

    def _read_traffic(self) -> tuple[int, int] | None:
        return read_traffic(self._transport.sock)

    def _find_address(self) -> str | None:
        return find_address(self._transport.sock)

    def send(self, message: str | BytesLike) -> None:
        if isinstance(message, str):
            opcode, payload = TEXT, message.encode()
        elif isinstance(message, bytes):
            opcode, payload = BINARY, message
        else:
            opcode, payload = BINARY, self._as_bytes(message)
        self._sent += 1
        length = len(payload)
        writer = self._writer
        if length < 126:
            frame, rest = SHORT_HEADERS[opcode][length] + payload, b""
        elif writer.deflate is not None and length >= MIN_COMPRESSED:
            self._send_compressed(writer.deflate, opcode, payload)
            return
        elif length <= MAX_JOINED:
            frame, rest = build_frame_header(opcode, length) + payload, b""
        else:
            frame, rest = build_frame_header(opcode, length), payload
        if self._ready and not rest and (batch := writer.batch).may_hold():
            writer.outbox.frames.append(frame)
            batch.size += length
            if not batch.is_open:  # meanwhile
                writer.try_flush()
        elif writer.driver is not None:
            writer.write_nowait(frame, rest)
        else:
            writer.write(frame, rest)

    def _send_compressed(self, deflate: PerMessageDeflate, opcode: int, payload: bytes) -> None:
        if not deflate.keeps_context:
            compressed = deflate.compress(payload)
            self._writer.write(build_frame_header(opcode | RSV1, len(compressed)), compressed)
            return
        with self._writer.deflate_lock:  # compressed in the order in which it is sent
            compressed = deflate.compress(payload)
            self._writer.write(build_frame_header(opcode | RSV1, len(compressed)), compressed)

    def send_ping(self, payload: bytes) -> None:
        self._writer.write(build_frame_header(Opcode.PING, len(payload)) + payload)

    def send_nowait(self, message: PreparedMessage) -> None:
        frame, writer = message.frame, self._writer
        self._sent += 1
        if (writer.held or writer.expected) and transit.keep(writer, message, MIN_COMPRESSED):
            return
        if writer.deflate is not None and message.size >= MIN_COMPRESSED:
            self._send_compressed_nowait(writer.deflate, message)
            return
        # Usually the socket is free and takes it: a broadcast is as fast as these lines.
        lock = writer.lock
        if not lock.acquire(False):
            writer.send_nowait(frame)
            return
        try:
            if writer.outbox.frames or self._state.writing or writer.held is not None:
                writer.queue(frame)
            else:
                sent = self._transport.try_send(frame)
                if sent != len(frame):
                    writer.put_back(frame[sent:], sent)
        except OSError as error:
            self._lose(f"sending failed: {error}")
        finally:
            lock.release()
        if writer.outbox.frames or self._state.writing:
            writer.flush_after_writing()

    def _send_compressed_nowait(self, deflate: PerMessageDeflate, message: PreparedMessage) -> None:
        writer = self._writer
        if not deflate.keeps_context:
            writer.send_nowait(message.compress(deflate))
        elif writer.deflate_lock.acquire(False):
            try:  # compressed in the order in which it is sent
                writer.send_nowait(message.compress(deflate))
            finally:
                writer.deflate_lock.release()
        else:
            writer.send_nowait(message.frame)  # not compressed it has no place in that order

    # The end

    def close_nowait(self, code: int, reason: str) -> None:
        if not self._state.reading and self._writer.queue_close(code, reason):
            self._writer.try_flush()

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        frame = build_close(code, reason)
        if timeout and is_in_event_loop():
            self._get_coroutines().close(code, reason)
            return
        deadline = monotonic() + timeout
        reader, writer = self._reader, self._writer
        reader.answering = 0.0
        driver: Driver | None = writer.driver
        if driver is not None:
            self._ready.clear()
            if not self._state.reading:  # nobody waits for the peer's Close, the loop will find it
                self.close_nowait(code, reason)
                driver.close(timeout)
            return
        if self._state.reading:
            reader.reply_close(deadline)
        else:
            writer.decide_close(code, reason)
            writer.close(frame, deadline)
        if not self._has_listener:
            reader.wait_for_end(deadline)
        self._ready.clear()
        self._state.stop_reading()
        self._transport.shutdown()
        writer.stop()
        sweeper.discard(self)

    def _lose(self, reason: str) -> None:
        """Mark the connection as lost, and wake whoever waits."""
        self.end(CloseCode.ABNORMAL_CLOSURE, reason)
        self._state.lose()
        self._transport.shutdown()
        sweeper.discard(self)

    # For coroutines

    def _get_coroutines(self) -> CoroutineUse:
        coroutines = self._coroutines
        if coroutines is None:
            coroutines = self._coroutines = CoroutineUse(self)
        return coroutines

    async def _run_watched(self, run: Run) -> None:
        """Run a coroutine that may wait for something else while its client leaves."""
        await self._get_coroutines().run_watched(run)

    async def areceive(self, timeout: float | None = None) -> Message | None:
        return await self._get_coroutines().receive(timeout)

    async def asend(self, message: str | BytesLike) -> None:
        try:
            await super().asend(message)
        except ConnectionClosed:
            note_end(self._get_coroutines())
            raise

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        note_end(self._get_coroutines())
        await super().aclose(code, reason)

    # For a handler

    def _attach_driver(self, listener: Listener) -> Callable[[], None]:
        """Have a loop read, and tell ``listener``, once the returned function is called."""
        listener.calls_anew = self._transport.calls_anew
        driver = self._writer.driver = Driver(self, self._reader, self._writer, listener)
        self._read_lock = ListenerLock(self._read_lock)
        self._has_listener = True
        return driver.start

    def _set_reading(self, on: bool) -> None:
        if self._writer.driver is not None:
            self._writer.driver.set_reading(on)

    def _leave_reading_to(self, driver: Driver) -> None:
        """The driver alone reads from now on."""
        self._read_lock.close()
        self._read_lock = driver

    def _release(self) -> None:
        """Give the descriptor back: the loop is done with this connection."""
        sweeper.discard(self)
        self._writer.close_transport()
        self._reader.connection.forget()

    # What the sweeper does

    def _go_away(self, code: int) -> None:
        """Send a Close without waiting for anything: the process ends."""
        self._writer.decide_close(code, "")
        self._writer.close(build_close(code), None)

    def _end_view(self) -> None:
        """The process ends: tell a coroutine that waits for something else of that by force."""
        if self._coroutines is not None:
            self._coroutines.cancel()

    def _get_stop_code(self) -> int | None:
        """The close code for the end of the server, once it has been told to end."""
        return None if self._stop_signal is None else self._stop_signal()

    def _sweep(self, now: float, interval: float | None, timeout: float | None) -> bool:
        return ping_or_drop(self, now, interval, timeout)
