"""A WebSocket client of bytes: it sends what it is told, right or wrong, and keeps every byte.

It knows no library and no state, so that a test can send what no client would send and see what
no client would show.
"""

import base64
import hashlib
import os
import select
import socket
import ssl
import struct
import time
from contextlib import suppress
from typing import NamedTuple

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def close_code(self):
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None

    @property
    def close_reason(self):
        return self.payload[2:].decode()


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    head: bytes
    body: bytes = b""


def accept_key(key):
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    return base64.b64encode(digest).decode()


def apply_mask(data, mask):
    if not data:
        return b""
    pattern = (mask * (len(data) // 4 + 1))[: len(data)]
    xored = int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")
    return xored.to_bytes(len(data), "big")


def build_frame(opcode, payload=b"", *, fin=True, rsv=0, masked=True, length=None):
    """The bytes of one frame. `length` announces another length than the payload's own."""
    if isinstance(payload, str):
        payload = payload.encode()
    length = len(payload) if length is None else length
    first, bit = (fin << 7) | (rsv << 4) | opcode, masked << 7
    if length < 126:
        header = struct.pack("!BB", first, bit | length)
    elif length < 65536:
        header = struct.pack("!BBH", first, bit | 126, length)
    else:
        header = struct.pack("!BBQ", first, bit | 127, length)
    if not masked:
        return header + payload
    mask = os.urandom(4)
    return header + mask + apply_mask(payload, mask)


def build_close(code=1000, reason=""):
    return build_frame(CLOSE, struct.pack("!H", code) + reason.encode())


def build_request(path, host, *, method="GET", version="HTTP/1.1", headers=(), websocket=True):
    """A request's bytes. A header of `headers` replaces the usual one, None leaves it out."""
    fields = {"Host": host}
    if websocket:
        fields |= {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Version": "13",
        }
    fields |= dict(headers)
    lines = [f"{method} {path} {version}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class RawClient:
    """One connection to a server. Every wait ends after `timeout` seconds."""

    def __init__(self, server, timeout=10.0):
        self.host = f"{server.host}:{server.port}"
        self.timeout = timeout
        self.received = bytearray()  # every byte that came, in order
        self.reset_by_peer = False
        self._position = 0  # what has been read of `received`
        self._socket = socket.create_connection((server.host, server.port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.client_context is not None:
            self._socket = server.client_context.wrap_socket(
                self._socket, server_hostname=server.host
            )

    # Sending

    def send_bytes(self, data, step=None):
        """Send in one piece, or in pieces of `step` bytes."""
        self._socket.settimeout(self.timeout)
        for start in range(0, len(data), step or max(len(data), 1)):
            self._socket.sendall(data[start : start + (step or len(data))])

    def send_request(self, path, *, early=b"", step=None, **request):
        self.send_bytes(build_request(path, self.host, **request) + early, step)

    def send_frame(self, opcode, payload=b"", **frame):
        self.send_bytes(build_frame(opcode, payload, **frame))

    def send_text(self, text):
        self.send_frame(TEXT, text)

    def send_close(self, code=1000, reason=""):
        self.send_bytes(build_close(code, reason))

    def open(self, path, **request):
        """Send the opening handshake and read the answer, which must be a 101."""
        self.send_request(path, **request)
        response = self.read_response()
        assert response.status == 101, bytes(self.received)
        return response

    # Reading

    def wait_readable(self, timeout):
        """Whether something comes in time, or the end; reads nothing."""
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if self.unread() or pending:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def _fill(self, deadline):
        """Read more from the socket. False at the end of the stream."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"nothing more came; unread: {self.unread()!r:.300}")
        self._socket.settimeout(remaining)
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:
            self.reset_by_peer = True
            return False
        except TimeoutError:
            raise TimeoutError(f"nothing more came; unread: {self.unread()!r:.300}") from None
        self.received += data
        return bool(data)

    def _read(self, count, deadline):
        while len(self.received) - self._position < count:
            if not self._fill(deadline):
                raise EOFError(f"the server closed; unread: {self.unread()!r:.300}")
        self._position += count
        return bytes(self.received[self._position - count : self._position])

    def unread(self):
        return bytes(self.received[self._position :])

    def read_head(self, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        while (end := self.received.find(b"\r\n\r\n", self._position)) < 0:
            if not self._fill(deadline):
                raise EOFError(f"the server closed; unread: {self.unread()!r:.300}")
        return self._read(end + 4 - self._position, deadline)

    def read_response(self, timeout=None):
        """A whole HTTP response; of a 101 the head, what follows it are frames."""
        deadline = time.monotonic() + (timeout or self.timeout)
        head = self.read_head(timeout)
        status_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name == "connection" and name in headers:  # a list
                value = f"{headers[name]}, {value}"
            else:
                assert name not in headers, f"header {name} came twice"
            headers[name] = value
        status = int(status_line.split(" ")[1])
        body = b"" if status == 101 else self._read_body(headers, deadline)
        return Response(status, headers, head, body)

    def _read_body(self, headers, deadline):
        if "content-length" in headers:
            return self._read(int(headers["content-length"]), deadline)
        if headers.get("transfer-encoding") == "chunked":
            return self._read_chunks(deadline)
        assert "transfer-encoding" not in headers, headers
        while self._fill(deadline):
            pass
        return self._read(len(self.received) - self._position, deadline)

    def _read_chunks(self, deadline):
        body = b""
        while True:
            line = b""
            while not line.endswith(b"\r\n"):
                line += self._read(1, deadline)
            body += self._read(size := int(line, 16), deadline)
            assert self._read(2, deadline) == b"\r\n"
            if not size:
                return body

    def read_frame(self, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        first, second = self._read(2, deadline)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._read(2, deadline))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._read(8, deadline))[0]
        mask = self._read(4, deadline) if second & 0x80 else None
        payload = self._read(length, deadline)
        return Frame(
            opcode=first & 0x0F,
            payload=payload if mask is None else apply_mask(payload, mask),
            fin=bool(first & 0x80),
            rsv=(first >> 4) & 0x7,
            masked=mask is not None,
        )

    def read_past_pings(self, timeout=None):
        """The next frame that is no Ping: those are answered. On a busy machine one may come before
        anything that a test waits for.
        """
        deadline = time.monotonic() + (timeout or self.timeout)
        while (frame := self.read_frame(max(deadline - time.monotonic(), 0.001))).opcode == PING:
            with suppress(OSError):  # who has sent a Close behind it may be gone
                self.send_frame(PONG, frame.payload)
        return frame

    def read_text(self, timeout=None):
        """The next message's text; AssertionError when it is not a whole text message."""
        frame = self.read_past_pings(timeout)
        assert frame == Frame(TEXT, frame.payload), frame
        return frame.payload.decode()

    def read_close(self, timeout=None):
        frame = self.read_past_pings(timeout)
        assert frame == Frame(CLOSE, frame.payload), frame
        return frame

    def read_to_eof(self, timeout=None):
        """Every byte until the server closes the TCP connection."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while self._fill(deadline):
            pass
        return self._read(len(self.received) - self._position, deadline)

    # Ending

    def wake_up(self):
        """End the stream for a thread that reads it; only then may the socket be closed."""
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not TLS's, under that read
        except OSError:  # it has ended
            pass

    def hang_up(self):
        """Close without a Close frame: FIN."""
        self._socket.close()

    def reset(self):
        """Close without a Close frame: RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def shrink_receive_buffer(self, size=4096):
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
