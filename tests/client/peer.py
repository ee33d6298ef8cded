"""A server whose every answer the test gives: HTTP and WebSockets on one port.

It knows no Engine.IO and keeps no state, so that a test can say what no server of ours would.
"""

import queue
import select
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Event, Thread
from urllib.parse import parse_qsl, urlsplit

from websockets.protocol import Protocol, Side, State

from ..raw_client import BINARY, CLOSE, TEXT, accept_key, build_frame

TIMEOUT = 20  # seconds
PAGE = (
    b"<!doctype html><title>Client</title><link rel='icon' href='data:,'>"
    b"<script src='/websocket.js'></script>"
)


@dataclass
class Asked:
    """A request of the page that waits for its answer."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    headers: dict[str, str]
    sock: socket.socket
    done: Event = field(default_factory=Event)

    @property
    def is_websocket(self):
        return self.headers.get("upgrade", "").lower() == "websocket"

    def answer(self, body="ok", status=200, **headers):
        content = body.encode()
        lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        with suppress(OSError):  # the page may have given it up
            self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        self.done.set()

    def cut(self):
        """Neither an answer nor a Close."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.done.set()

    def accept(self, subprotocol=None):
        lines = ["HTTP/1.1 101 Switching", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {accept_key(self.headers['sec-websocket-key'])}")
        if subprotocol:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return PeerWebSocket(self)

    def wait(self):
        self.done.wait()


class PeerWebSocket:
    """Frames as they come, but for the answer to a Close, which is given."""

    def __init__(self, asked):
        self._asked = asked
        self._protocol = Protocol(Side.SERVER, state=State.OPEN)
        self._asked.sock.settimeout(TIMEOUT)
        self._events = []

    def send(self, data):
        if isinstance(data, str):
            frame = build_frame(TEXT, data, masked=False)
        else:
            frame = build_frame(BINARY, data, masked=False)
        self._asked.sock.sendall(frame)

    def receive(self):
        """The next message, or the code of the Close; None at the end without one."""
        while not self._events:
            data = self._asked.sock.recv(65536)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            self._events += self._protocol.events_received()
            if not data and not self._events:
                self._asked.cut()
                return None
        frame = self._events.pop(0)
        if frame.opcode == CLOSE:
            return struct.unpack("!H", frame.data[:2])[0] if frame.data else 1005
        return frame.data.decode() if frame.opcode == TEXT else bytes(frame.data)

    def has_more(self):
        return bool(self._events or select.select([self._asked.sock], [], [], 0)[0])

    def close(self, code=None, reason=""):
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
        with suppress(OSError):
            self._asked.sock.sendall(build_frame(CLOSE, payload, masked=False))

    def end(self):
        """End it after the Close of both."""
        self._asked.done.set()

    def cut(self):
        self._asked.cut()


class Peer:
    """Serves a page with the script at its root; requests for `path` wait in `asked`. Each test has
    a path of its own: what an earlier page still says as it is left is nobody's.
    """

    def __init__(self, script):
        self.script = script
        self._numbers = count(1)
        self._waiting = []
        self.begin()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.close_connection = True
                peer._take(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, handler):
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in handler.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        asked = Asked(handler.command, parts.path, query, body, headers, handler.connection)
        if parts.path == "/":
            return asked.answer(PAGE.decode(), Content_Type="text/html")
        if parts.path == "/websocket.js":
            return asked.answer(self.script, Content_Type="text/javascript")
        if parts.path != self.path:
            return asked.cut()
        self._waiting.append(asked)
        self.asked.put(asked)
        asked.wait()
        return None

    def next(self):
        """The page's next request."""
        return self.asked.get(timeout=TIMEOUT)

    def take(self, *, websocket):
        """The next request, which is for a WebSocket or not."""
        asked = self.next()
        assert asked.is_websocket == websocket, asked
        return asked

    def begin(self):
        """A test begins: cut what the last one has left."""
        self.path = f"/socket/{next(self._numbers)}/"
        self.asked = queue.Queue()
        for asked in self._waiting:
            asked.cut()
        self._waiting.clear()

    def stop(self):
        self.begin()
        self._server.shutdown()
        self._server.server_close()
