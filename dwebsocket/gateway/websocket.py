"""A client's socket in the front: a WebSocket as on any server, with nobody who reads it but the
connection that passes its messages on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from django.http import HttpRequest

from dwebsocket.backends.gateway.wire import Kind, Packet
from dwebsocket.backends.listening import Listener, ListenerLock
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.sockets.driver import Driver
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.backends.sockets.websocket import MIN_COMPRESSED
from dwebsocket.protocol.frames import Opcode, build_frame_header
from dwebsocket.transports import Transport, create_transport

__all__ = ["FrontWebSocket", "Passing"]

BINARY = Kind.BINARY


class Passing(Listener, Protocol):
    """The connection."""

    def note_read(self) -> None:
        """The loop has read, and goes on to the next one that it has found."""

    @property
    def has_unanswered(self) -> bool:
        """Whether somebody may still answer what has come."""
        ...

    def holds_end(self) -> bool:
        """Whether the answer to the client's Close, or to its breach of the protocol, has to wait:
        somebody may still answer what came before it.
        """
        ...


class FrontTakeover(Takeover):
    """A socket that is nobody else's."""

    def __init__(self, sock: socket.socket, early: bytes) -> None:
        self._socket = sock
        self._early = early

    def take_transport(self) -> tuple[Transport, bytes]:
        transport = create_transport(self._socket)
        transport.adopt()
        return transport, self._early


class FrontDriver(Driver):
    """Reads nothing while too much waits to be worked on, and lets the client's end wait for the
    answers to what came before it.

    Attributes:
        passing: the connection.
    """

    __slots__ = ("_is_held", "_is_paused", "passing")

    def __init__(self, websocket: FrontWebSocket, passing: Passing) -> None:
        super().__init__(websocket, websocket._reader, websocket._writer, passing)
        self.passing = passing
        self._is_held = self._is_paused = False

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read, for nobody works on what has come."""
        return self._is_paused and not self._is_held

    def pause(self, paused: bool) -> None:
        """Read nothing from now on, or go on. From any thread."""
        if paused is not self._is_paused:
            with self._writer.locked():
                self._is_paused = paused
                self._set_interest(writing=self.blocked)

    def answer_end(self) -> None:
        """Answer the client's end, if that has waited. From any thread."""
        if self._is_held and self._let_go():
            self._finish()

    def on_readable(self) -> bool:
        more = False if self._is_held else super().on_readable()
        self.passing.note_read()
        return more

    def _end(self) -> None:
        if monotonic() < self._reader.answering and not self._writer.is_lost:
            self.pause(True)
            self._is_held = True  # first: whoever works on the last message looks at it
            if self.passing.holds_end() or not self._let_go():
                return
        self._finish()

    def _let_go(self) -> bool:
        """Hold the end no longer; whether it was held: once."""
        with self._writer.locked():
            held, self._is_held = self._is_held, False
        return held

    def _finish(self) -> None:
        super()._end()
        self.pause(False)

    def _set_interest(self, *, writing: bool) -> None:
        if self._watched:
            reading = (not writing or self._closing) and not self._is_paused
            self._transport.set_interest(reading=reading, writing=writing)


class FrontWebSocket(SocketWebSocket):
    """The protocol, the bounds and the times are those of all servers."""

    __slots__ = ()

    def __init__(self, request: HttpRequest, sock: socket.socket, early: bytes) -> None:
        super().__init__(request, FrontTakeover(sock, early))

    def _pass_on(self, passing: Passing) -> Callable[[], None]:
        """Have the loop tell ``passing`` what comes, once the returned function is called."""
        passing.calls_anew = self._transport.calls_anew
        driver = self._writer.driver = FrontDriver(self, passing)
        self._read_lock = ListenerLock(self._read_lock)
        self._has_listener = True
        self._takeover = None
        return driver.start

    @property
    def _answers_later(self) -> bool:  # type: ignore[override]
        driver = self._writer.driver
        return driver is not None and driver.passing.has_unanswered

    def _pause(self, paused: bool) -> None:
        """Read nothing from now on, or go on. From any thread."""
        driver: FrontDriver | None = self._writer.driver
        if driver is not None:
            driver.pause(paused)

    def _answer_end(self) -> None:
        """Answer the client's Close, if that has waited. From any thread."""
        driver: FrontDriver | None = self._writer.driver
        if driver is not None:
            driver.answer_end()

    @property
    def _is_paused(self) -> bool:
        """Whether nothing is read, for nobody works on what has come."""
        driver: FrontDriver | None = self._writer.driver
        return driver is not None and driver.is_paused

    def _send_many(self, packets: Sequence[Packet]) -> None:
        """Send messages, which leave together if they are small. Never waits.

        Raises:
            ConnectionClosed: nothing can be sent any more.
        """
        if len(packets) == 1 or any(len(packet.body) >= MIN_COMPRESSED for packet in packets):
            for packet in packets:
                self.send(packet.body if packet.kind is BINARY else packet.body.decode())
            return
        self._sent += len(packets)
        frames: list[bytes] = []
        for packet in packets:
            opcode = Opcode.BINARY if packet.kind is BINARY else Opcode.TEXT
            frames += build_frame_header(opcode, len(packet.body)), packet.body
        writer = self._writer
        write = writer.write if writer.driver is None else writer.write_nowait  # it has ended
        write(b"".join(frames), b"")

    def _ping(self, payload: bytes) -> None:
        """Send a Ping, without waiting."""
        self._writer.send_nowait(build_frame_header(Opcode.PING, len(payload)) + payload)
