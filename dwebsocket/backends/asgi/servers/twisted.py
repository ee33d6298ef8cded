"""A transport of Twisted with the methods of one of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

__all__ = ["TwistedTransport", "tell_end"]


class TwistedTransport(asyncio.Transport):
    """Reads, as Twisted's protocol, and writes; for a protocol of asyncio.

    Args:
        transport: over TCP or a Unix socket, or TLS over one of these.
    """

    def __init__(self, transport: Any) -> None:
        super().__init__()
        self._transport = transport
        # What TLS wraps.
        self._socket_transport = getattr(transport, "transport", transport)
        self._protocol: Any = None  # one of asyncio, once there is one
        self._is_paused = False
        self._held: list[bytes] = []  # came while paused: TLS goes on with what it has read

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self._socket_transport is not self._transport

    def find_channel(self) -> Any:
        """What has read the handshake: it tells the transport still when to read."""
        producer = self._socket_transport.producer
        return getattr(producer, "_producer", producer)

    def drop(self) -> None:
        """Close the descriptor, of which somebody has a copy: nothing happens to the connection."""
        self._transport._shouldShutdown = False
        self._transport.unregisterProducer()
        tell_end(self._transport)

    # As asyncio's

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return self._socket_transport.socket
        if name in ("sslcontext", "ssl_object") and self.is_tls:
            return self._transport.getHandle()
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        if self._protocol is None:
            setattr(self._transport, "wrappedProtocol" if self.is_tls else "protocol", self)
            self._transport.unregisterProducer()
            self._transport.registerProducer(self, streaming=True)
        self._protocol = protocol

    def is_closing(self) -> bool:
        return bool(self._transport.disconnecting or not self._transport.connected)

    def pause_reading(self) -> None:
        self._is_paused = True
        self._socket_transport.stopReading()

    def resume_reading(self) -> None:
        self._is_paused = False
        held, self._held = self._held, []
        for data in held:
            self.dataReceived(data)
        if not self._is_paused and self._socket_transport.connected:
            self._socket_transport.startReading()

    def write(self, data: Any) -> None:
        self._transport.write(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        self._transport.loseWriteConnection()

    def can_write_eof(self) -> bool:
        return not self.is_tls

    def get_write_buffer_size(self) -> int:
        transport = self._socket_transport
        return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is not None:
            self._socket_transport.bufferSize = high

    def close(self) -> None:
        self._transport.unregisterProducer()
        self._transport.loseConnection()
        if self.is_tls:  # does not wait for the peer's word that it closes, too
            self._socket_transport.loseConnection()

    def abort(self) -> None:
        if self._transport.connected:
            self._transport.abortConnection()

    # As a protocol of Twisted, and its producer

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._is_paused:
            self._held.append(data)
        else:
            self._protocol.data_received(data)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._protocol.connection_lost(None)

    def pauseProducing(self) -> None:  # noqa: N802
        self._protocol.pause_writing()

    def resumeProducing(self) -> None:  # noqa: N802
        self._protocol.resume_writing()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is lost: see ``connectionLost``."""


def tell_end(one: Any) -> None:
    """Tell a transport or a protocol of Twisted that its connection has ended."""
    from twisted.internet.error import ConnectionDone
    from twisted.python import failure

    failure_type: Any = failure.Failure
    one.connectionLost(failure_type(ConnectionDone()))
