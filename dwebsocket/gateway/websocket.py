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

    def holds_end(self) -> bool:
        """Whether the answer to the client's Close has to wait: somebody may still answer what
        came before it.
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
    """Reads nothing while too much waits to be worked on, and lets the client's Close wait for the
    answers to what came before it.
    """

    __slots__ = ("_is_held", "_is_paused", "_passing")

    def __init__(self, websocket: FrontWebSocket, passing: Passing) -> None:
        super().__init__(websocket, websocket._reader, websocket._writer, passing)
        self._passing = passing
        self._is_held = self._is_paused = False

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read, for nobody works on what has come."""
        return self._is_paused and not self._is_held

    def pause(self, paused: bool) -> None:
        """Read nothing from now on, or go on. From any thread."""
        if paused is not self._is_paused:
            self._is_paused = paused
            self._set_interest(writing=self.blocked)

    def release(self) -> None:
        """Answer the client's Close, if that has waited. From any thread."""
        if self._is_held:
            self._is_held = False
            self._is_paused = False
            self._set_interest(writing=self.blocked)
            super()._end()

    def on_readable(self) -> bool:
        more = False if self._is_held else super().on_readable()
        self._passing.note_read()
        return more

    def _end(self) -> None:
        may_answer = monotonic() < self._reader.answering and not self._writer.is_lost
        if may_answer and self._passing.holds_end():
            self._is_held = True
            self.pause(True)
        else:
            self._is_paused = False
            super()._end()

    def _set_interest(self, *, writing: bool) -> None:
        if self._watched:
            reading = (not writing or self._closing) and not self._is_paused
            self._transport.set_interest(reading=reading, writing=writing)


class FrontWebSocket(SocketWebSocket):
    """The protocol, the bounds and the times are those of all servers."""

    __slots__ = ("_front_driver",)

    _front_driver: FrontDriver

    def __init__(self, request: HttpRequest, sock: socket.socket, early: bytes) -> None:
        super().__init__(request, FrontTakeover(sock, early))

    def _pass_on(self, passing: Passing) -> Callable[[], None]:
        """Have the loop tell ``passing`` what comes, once the returned function is called."""
        passing.calls_anew = self._transport.calls_anew
        driver = self._front_driver = FrontDriver(self, passing)
        self._writer.driver = driver
        self._read_lock = ListenerLock(self._read_lock)
        self._has_listener = True
        self._takeover = None
        return driver.start

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
