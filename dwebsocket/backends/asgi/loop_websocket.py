"""A WebSocket whose connection has been taken into the server's event loop: it speaks the protocol
itself, by a ``LoopProtocol``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from django.http import HttpRequest

from dwebsocket.conf import conf
from dwebsocket.protocol.budget import RESERVE
from dwebsocket.protocol.deflate import negotiate
from dwebsocket.protocol.frames import SHORT_HEADERS, Opcode, build_frame_header
from dwebsocket.protocol.handshake import OWS, build_response
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.websocket import BytesLike, Message

from .connection import AsgiConnection, Event, explain
from .events import EVENT_COST, build_compressed
from .inbox import Inbox
from .loop_protocol import LoopProtocol
from .loop_reader import LoopReader
from .servers import AsgiTakeover
from .websocket import CLOSED, LOST, AsgiWebSocket

__all__ = ["LoopWebSocket"]

TEXT, BINARY = int(Opcode.TEXT), int(Opcode.BINARY)

#: Below this, compressing costs more than it saves.
MIN_COMPRESSED = 1024

#: Waits until there is room in the transport.
NOTHING: Event = {"type": "websocket.send", "frame": b""}


class LoopWebSocket(AsgiWebSocket):
    """Used by coroutines, and over TLS by threads, too."""

    __slots__ = ("_deflate", "_extensions", "_key", "_protocol")

    _reader: LoopReader

    def __init__(
        self, request: HttpRequest, connection: AsgiConnection, takeover: AsgiTakeover
    ) -> None:
        meta = request.META
        self._key = meta.get("HTTP_SEC_WEBSOCKET_KEY", "").strip(OWS)
        self._extensions = self._deflate = None
        if conf.COMPRESSION:
            self._extensions, self._deflate = negotiate(
                meta.get("HTTP_SEC_WEBSOCKET_EXTENSIONS"),
                context_takeover=conf.COMPRESSION_CONTEXT_TAKEOVER,
            )
        self._protocol = LoopProtocol(takeover, connection.loop, self._deflate)
        connection.use(self._protocol)
        super().__init__(connection)

    def _create_inbox(self, max_size: int) -> Inbox:
        return Inbox(self._connection, max_size, RESERVE)  # the budget is the protocol's

    def _create_reader(self) -> LoopReader:
        return LoopReader(self, self._inbox, self._protocol)

    # The opening handshake

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        response = build_response(self._key, subprotocol, headers.items(), self._extensions)
        self._serving.register()
        self._connection.is_taken = True
        self._state.open()
        if self._connection.is_in_loop():
            self._open(response)
        else:  # it is done before whatever else comes into the loop from here
            self._connection.call(self._open, response)

    def _open(self, response: bytes) -> None:
        try:
            self._protocol.open(response)
        except Exception as error:
            self._closing.lose(f"the connection could not be taken: {explain(error)}")
            return
        self._protocol.owner = self
        self._serving.begin()

    def _notice_end(self) -> None:
        """The end has come, and nobody has asked for it. In the loop."""
        self._reader.notice_end()

    # Sending

    def _as_event(self, message: str | BytesLike) -> tuple[Event, int]:
        if isinstance(message, str):
            opcode, payload = TEXT, message.encode()
        else:
            opcode, payload = BINARY, self._as_bytes(message)
        size = len(payload)
        if self._deflate is not None and size >= MIN_COMPRESSED:
            return {"type": "websocket.send", "opcode": opcode, "payload": payload}, size
        frame = build_frame_header(opcode, size) + payload
        return {"type": "websocket.send", "frame": frame}, size

    def send_ping(self, payload: bytes) -> None:
        self._check_open()
        frame = build_frame_header(Opcode.PING, len(payload)) + payload
        event = {"type": "websocket.send", "frame": frame}
        self._outbox.put((event, len(frame) + EVENT_COST, None))

    def send_nowait(self, message: PreparedMessage) -> None:
        self._sent += 1
        frame = message.frame
        if self._deflate is not None and message.size >= MIN_COMPRESSED:
            if self._deflate.keeps_context:
                content = message.event.get("text")
                event, size = self._as_event(message.event["bytes"] if content is None else content)
                self._outbox.put_within_bounds((event, size + EVENT_COST, None), with_others=True)
                return
            frame = message.compress(self._deflate)
        event = {"type": "websocket.send", "frame": frame}
        self._outbox.put_within_bounds((event, len(frame) + EVENT_COST, None), with_others=True)

    def send(self, message: str | BytesLike) -> None:
        if not self._send_at_once(message):
            super().send(message)

    async def asend(self, message: str | BytesLike) -> None:
        if not self._send_at_once(message):
            await super().asend(message)
        elif self._protocol.is_full or self._is_turn_over():
            await self._let_others_go_on()

    async def adrain(self) -> None:
        writer = self._writer
        if writer.is_busy or self._outbox.items or self._state.writing:
            await super().adrain()
        elif self._connection.is_in_loop() and (self._protocol.is_full or self._is_turn_over()):
            await self._let_others_go_on()

    def _send_at_once(self, message: str | BytesLike) -> bool:
        """Send a message from within the loop, if nothing waits; whether that is so."""
        protocol = self._protocol
        if self._writer.is_busy or self._outbox.items or protocol.is_full:
            return False
        if not self._connection.is_in_loop():
            return False
        state = self._state
        if state.reading or state.writing:
            self._check_open()
        if isinstance(message, str):
            opcode, payload = TEXT, message.encode()
        else:
            opcode, payload = BINARY, self._as_bytes(message)
        size = len(payload)
        if size < 126:
            frame = SHORT_HEADERS[opcode][size] + payload
        elif self._deflate is not None and size >= MIN_COMPRESSED:
            frame = build_compressed(opcode, payload, self._deflate)
        else:
            frame = build_frame_header(opcode, size) + payload
        self._sent += 1
        protocol.write(frame)
        return True

    def _is_turn_over(self) -> bool:
        connection = self._connection
        return connection.turns.is_turn_over(connection.loop.time())

    async def _let_others_go_on(self) -> None:
        """Wait until the peer takes more, or for a moment."""
        await asyncio.sleep(0)
        if self._protocol.is_full:
            await self._writer.send_in_turn(NOTHING, 0)
        if self._state.writing == LOST:
            raise self._closed_error()

    # Receiving

    def receive_available(self) -> list[Message]:
        if self._connection.is_in_loop() and not self._state.reading:
            self._reader.take_in(self._protocol.received.take_event)
        if self._state.reading == CLOSED:
            return []
        return super().receive_available()
