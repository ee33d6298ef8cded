"""The client's end of a WebSocket, by the codec of the ``websockets`` package, which shares no line
of the frames with ours.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from io import BufferedReader
from typing import Any

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Origin, Subprotocol

from .reaching import TIMEOUT
from .visit import Visit

__all__ = ["Answer", "Connection", "Ended", "shake_hands"]

#: Bytes of a refusal that are read, and of a message that are sent before the answer is looked at.
CHUNK = 1 << 16
#: As of browsers.
AGENT = "Mozilla/5.0 (compatible; dwebsocket doctor)"


@dataclass(frozen=True)
class Answer:
    """What a handshake is answered with: a 101 that is wrong, or anything else.

    Attributes:
        status: of HTTP; 0 if it is no HTTP, or nothing.
        headers: its headers.
        body: the beginning of it.
        wrong: what is wrong with the answer itself; empty if it can be understood.
    """

    status: int
    headers: HTTPMessage
    body: str
    wrong: str = ""


class Ended(Exception):
    """The connection has ended.

    Attributes:
        code: of the server's Close; ``None`` if none has come.
        reason: of the server's Close, or what is wrong.
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Unbuffered:
    """A socket for ``HTTPResponse``, which then leaves what is behind the head where it is."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, *args: Any) -> Any:
        return self._sock.makefile("rb", buffering=0)


def shake_hands(sock: socket.socket, visit: Visit, *, compress: bool = True) -> Connection | Answer:
    """Ask for a WebSocket as a browser does."""
    deflate = ClientPerMessageDeflateFactory(client_max_window_bits=True)
    protocol = ClientProtocol(
        visit.uri,
        origin=None if visit.origin is None else Origin(visit.origin),
        extensions=[deflate] if compress else None,
        subprotocols=[Subprotocol(name) for name in visit.subprotocols] or None,
        max_size=None,
    )
    request = protocol.connect()
    request.headers["User-Agent"] = AGENT
    for name, value in visit.headers:
        request.headers.pop(name, None)
        request.headers[name] = value
    protocol.send_request(request)
    sock.settimeout(TIMEOUT)
    try:
        sock.sendall(b"".join(protocol.data_to_send()))
        return read_answer(sock, protocol)
    except (OSError, HTTPException) as error:
        sock.close()
        return Answer(0, HTTPMessage(), "", str(error) or type(error).__name__)


def read_answer(sock: socket.socket, protocol: ClientProtocol) -> Connection | Answer:
    response = HTTPResponse(Unbuffered(sock))  # type: ignore[arg-type]
    response.begin()
    if response.status != 101:
        response.fp = BufferedReader(response.fp)
        body = response.read(CHUNK).decode(errors="replace")
        sock.close()
        return Answer(response.status, response.msg, body)
    head = [f"HTTP/1.1 101 {response.reason}", *(f"{k}: {v}" for k, v in response.getheaders())]
    protocol.receive_data("\r\n".join([*head, "", ""]).encode("latin-1"))
    protocol.events_received()
    if response.version == 11 and protocol.state is OPEN:
        return Connection(sock, protocol)
    sock.close()
    return Answer(101, response.msg, "", str(protocol.handshake_exc or "it is HTTP/1.0"))


class Connection:
    """An open WebSocket.

    Attributes:
        protocol: what was agreed on.
        pings: how many Pings of the server have come.
    """

    def __init__(self, sock: socket.socket, protocol: ClientProtocol) -> None:
        self.protocol = protocol
        self.pings = 0
        self._sock = sock

    def ping(self, payload: bytes, timeout: float) -> float | None:
        """Send a Ping and wait for its Pong: the seconds it took, or ``None`` if none comes.

        Raises:
            Ended: the connection has ended.
        """
        started = time.monotonic()
        self.protocol.send_ping(payload)
        self._flush()
        for frame in self.frames(timeout):
            if frame.opcode is Opcode.PONG and frame.data == payload:
                return time.monotonic() - started
        return None

    def frames(self, timeout: float) -> Iterator[Frame]:
        """What comes within so many seconds.

        Raises:
            Ended: the connection has ended.
        """
        deadline = time.monotonic() + timeout
        while (remaining := deadline - time.monotonic()) > 0:
            yield from self._receive(remaining)

    def send(self, message: str) -> None:
        """Send a text message; who says meanwhile that it is too long is heard.

        Raises:
            Ended: the connection has ended.
        """
        self.protocol.send_text(message.encode())
        self._sock.settimeout(TIMEOUT)
        for data in self.protocol.data_to_send():
            for start in range(0, len(data), CHUNK):
                try:
                    self._sock.sendall(data[start : start + CHUNK])
                except OSError as error:
                    self._hear_out(error)
                while self._has_answer():
                    self._receive(TIMEOUT)

    def close(self) -> None:
        """Say goodbye, and wait a little for the answer."""
        try:
            if self.protocol.state is OPEN:
                self.protocol.send_close(1000)
                self._flush()
            for _ in self.frames(TIMEOUT):
                pass
        except (Ended, OSError):
            pass
        finally:
            self._sock.close()

    def hang_up(self) -> None:
        """Just end."""
        self._sock.close()

    def _has_answer(self) -> bool:
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        return bool(select.select([self._sock], [], [], 0)[0])

    def _hear_out(self, error: OSError) -> None:
        """It cannot be sent: the server has said why before, perhaps."""
        while self._has_answer():
            self._receive(TIMEOUT)
        raise Ended(None, str(error))

    def _receive(self, timeout: float) -> list[Frame]:
        self._sock.settimeout(timeout)
        try:
            data = self._sock.recv(CHUNK)
        except TimeoutError:
            return []
        except OSError as error:
            raise Ended(None, str(error)) from error
        self.protocol.receive_data(data) if data else self.protocol.receive_eof()
        frames = [event for event in self.protocol.events_received() if isinstance(event, Frame)]
        self.pings += sum(frame.opcode is Opcode.PING for frame in frames)
        self._flush()
        self._look_for_end(data)
        return frames

    def _look_for_end(self, data: bytes) -> None:
        received = self.protocol.close_rcvd
        if received is not None:
            raise Ended(received.code, received.reason)
        if not data or self.protocol.parser_exc is not None:
            raise Ended(None, str(self.protocol.parser_exc or "the connection was cut"))

    def _flush(self) -> None:
        self._sock.settimeout(TIMEOUT)
        try:
            for data in self.protocol.data_to_send():
                if data:
                    self._sock.sendall(data)
        except OSError:
            pass  # the end is found by reading
