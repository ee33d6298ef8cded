"""The client's side of a connection: bytes of RFC 6455, written here once more so that our own
codec is not asked about itself.
"""

import os
import socket
import struct
import zlib
from base64 import b64encode

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN, COMPRESSED, MASKED = 0x80, 0x40, 0x80
TIMEOUT = 30  # seconds
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: nothing waits for a peer


def frame(opcode: int, payload: bytes, *, masked: bool = True) -> bytes:
    """A frame; opcode 0 to 15 with FIN and RSV bits added (RFC 6455, 5.2)."""
    bit, length = (MASKED if masked else 0), len(payload)
    if length < 126:
        head = struct.pack("!BB", opcode, bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", opcode, bit | 126, length)
    else:
        head = struct.pack("!BBQ", opcode, bit | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    mask = (key * (length // 4 + 1))[:length]
    pattern = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + pattern.to_bytes(length, "big")


def deflate(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(b"\0\0\xff\xff")  # RFC 7692, 7.2.1


def inflate(payload: bytes) -> bytes:
    return zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff")


def build_handshake(port: int, path: str, *, compression: bool) -> bytes:
    """The request of an opening handshake."""
    offer = "permessage-deflate; client_no_context_takeover" if compression else ""
    request = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
        *([f"Sec-WebSocket-Extensions: {offer}"] if offer else []),
    ]
    return "\r\n".join([*request, "", ""]).encode()


class Connection:
    """A client's connection; what one of its steps starts, the next one finishes."""

    def __init__(self, port: int, *, compression: bool):
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(build_handshake(port, "/echo/", compression=compression))

    def finish_handshake(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._receive()
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"not accepted: {head!r}")
        self.compresses = b"permessage-deflate" in head

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def expect(self, data: bytes) -> None:
        """Receive just these bytes."""
        received = self._receive_exactly(len(data))
        if received != data:
            raise ConnectionError(f"wrong echo: {received[:40]!r}… instead of {data[:40]!r}…")

    def expect_message(self, opcode: int, payload: bytes) -> None:
        """Receive this message in one frame, compressed or not."""
        first, length = self._receive_exactly(2)
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(self._receive_exactly(size), "big")
        received = self._receive_exactly(length)
        if first & COMPRESSED:
            received = inflate(received)
        if first & ~COMPRESSED != FIN | opcode or received != payload:
            raise ConnectionError(f"wrong echo: {first:#x}, {received[:40]!r}…")

    def expect_end(self) -> None:
        if rest := self._socket.recv(65536):
            raise ConnectionError(f"bytes behind the Close: {rest[:40]!r}")

    def abandon(self) -> None:
        """Hang up at once. After the server's end this leaves no TIME_WAIT behind: of those there
        is room for some ten thousand.
        """
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._socket.close()

    def _receive_exactly(self, count: int) -> bytes:
        parts = []
        while count:
            parts.append(self._receive(count))
            count -= len(parts[-1])
        return b"".join(parts)

    def _receive(self, count: int = 65536) -> bytes:
        if not (data := self._socket.recv(count)):
            raise ConnectionError("the server hung up")
        return data
