"""The front's port: tornado takes handshakes, and answers what is none."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from typing import Any
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest
from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from dwebsocket.backends.gateway.requests import find_handlers
from dwebsocket.backends.room import NoRoom
from dwebsocket.backends.sessions.answers import describe

from .connection import Answer, Connection
from .hub import Hub
from .websocket import FrontWebSocket

__all__ = ["Front"]

#: Milliseconds between two looks at who has gone.
LOOK_INTERVAL = 50

NOT_HERE = (
    "This port takes WebSockets only: it is the front of a dwebsocket gateway (manage.py "
    "run_wsserver). Pages come from the site's other server.\n"
)
NOTHING = Answer(404, [("Content-Type", "text/plain")], None, NOT_HERE.encode())

#: As with WEBSOCKET_FALLBACK = False: a client of ours goes on with WebSockets then.
NO_POLLS = Answer(
    400,
    [("Content-Type", "application/json")],
    None,
    describe(0, "Transport unknown").encode(),
)

#: Bytes behind a handshake that tornado can have read: a chunk, and what the largest head has left
#: of another one.
MAX_EARLY = 1 << 17

#: Headers of a response that are tornado's to write.
OWN_HEADERS = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})


class Entrance(RequestHandler):
    """One request."""

    front: Front
    _asked: tuple[Connection, asyncio.Future[Answer | None]] | None

    def initialize(self, front: Front) -> None:
        self.front = front
        self._asked = None

    def set_default_headers(self) -> None:
        self.clear_header("Server")

    async def prepare(self) -> None:
        if self.request.path == "/healthz":
            self._tell_health()
            return
        upgrade = self.request.headers.get("Upgrade", "").lower()
        asks = "websocket" in (part.strip() for part in upgrade.split(","))
        found = self.front.match(self.request.path)
        if found is None or not asks:
            polls = found is not None and self.get_query_arguments("EIO")
            self._write(NO_POLLS if polls else NOTHING)
            return
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer | None] = loop.create_future()

        def tell(answer: Answer) -> None:
            loop.call_soon_threadsafe(settle, answered, answer)

        connection = self.front.hub.ask(self._describe(found[0]), tell)
        self._asked = connection, answered
        answer = await answered
        self._asked = None
        if answer is None:
            self.detach()
        elif answer.status == 101:
            self._open(connection, answer)
        else:
            self._write(answer)

    def on_connection_close(self) -> None:
        if self._asked is None:
            return
        connection, answered = self._asked
        if not answered.done():  # it has left, and nobody has answered it
            connection.end()
            answered.set_result(None)  # tornado keeps a request until it has ended

    def _tell_health(self) -> None:
        workers, connections = self.front.hub.counts
        self.set_status(200 if workers else 503)
        self.finish({"handlers": workers, "connections": connections})

    def _describe(self, namespace: str | None) -> dict[str, Any]:
        """The request as the processes with handlers get it."""
        request = self.request
        connection: Any = request.connection
        sock = connection.stream.socket
        path = unquote_to_bytes(request.path).decode("latin-1")
        headers: dict[str, str] = {}
        for name, value in request.headers.get_all():
            if "_" not in name:  # or somebody could pass X_Forwarded_For for X-Forwarded-For
                key = name.title()
                join = "; " if key == "Cookie" else ","
                headers[key] = f"{headers[key]}{join}{value}" if key in headers else value
        return {
            "method": request.method,
            "path": path,
            "query": request.query,
            "version": request.version,
            "scheme": "http",
            "headers": list(headers.items()),
            "client": name_of(sock, "getpeername"),
            "server": name_of(sock, "getsockname"),
            "namespace": namespace,
        }

    def _write(self, answer: Answer) -> None:
        self.set_status(answer.status, None)
        for name in ("Content-Type", "Date"):
            self.clear_header(name)
        for name, value in answer.headers:
            if name.lower() not in OWN_HEADERS:
                self.add_header(name, value)
        self.set_header("Connection", "close")
        connection: Any = self.request.connection
        stream = connection.stream
        self.finish(answer.body).add_done_callback(lambda done: stream.close())

    def _open(self, connection: Connection, answer: Answer) -> None:
        """Answer the handshake with 101; from here on the socket is ours."""
        request = HttpRequest()
        request.path = self.request.path
        for name in ("Key", "Extensions"):
            value = self.request.headers.get(f"Sec-WebSocket-{name}")
            if value is not None:
                request.META[f"HTTP_SEC_WEBSOCKET_{name.upper()}"] = value
        stream: Any = self.detach()
        early = take_early(stream)
        if stream.socket is None:  # its client has just left
            connection.end()
            return
        sock = stream.socket.dup()
        stream.close()
        websocket = FrontWebSocket(request, sock, early)
        try:
            websocket.accept(answer.subprotocol, dict(answer.headers))
            connection.open(websocket)
        except (NoRoom, OSError):
            sock.close()
            connection.end()


def settle(answered: asyncio.Future[Answer | None], answer: Answer) -> None:
    """Let the request go on, unless its client has left."""
    if not answered.done():
        answered.set_result(answer)


def take_early(stream: Any) -> bytes:
    """What has come behind a handshake, as far as tornado has read it."""
    try:
        received = stream.read_bytes(MAX_EARLY, partial=True)
    except StreamClosedError:
        return b""
    found: bytes = received.result() if received.done() and not received.exception() else b""
    return found


def name_of(sock: socket.socket, which: str) -> tuple[str, int]:
    """An address of a socket, as a host and a port."""
    try:
        found = getattr(sock, which)()
    except OSError:
        return "", 0
    return (found[0], found[1]) if isinstance(found, tuple) else ("", 0)


class Front:
    """The front: a port, and the hub behind it.

    Args:
        url: a regular expression for the paths of WebSockets, ``None``: all; its group
            ``namespace`` names a handler of ``DEFAULT_WS_HANDLERS``.
    """

    def __init__(self, hub: Hub, url: str | None) -> None:
        self.hub = hub
        self._url = None if url is None else re.compile(url)
        self._has_namespaces = bool(find_handlers())
        self._sockets: list[socket.socket] = []

    def match(self, path: str) -> tuple[str | None] | None:
        """The namespace of a path, in a tuple; ``None``: there is no WebSocket."""
        if self._url is None:
            return ("default",) if self._has_namespaces else (None,)
        match = self._url.fullmatch(path)
        if match is None:
            return None
        if not self._has_namespaces:
            return (None,)
        return (match.groupdict().get("namespace") or "default",)

    def bind(self, address: str, port: int) -> int:
        """Listen; the port.

        Raises:
            OSError: the port is taken, for one.
        """
        self._sockets = bind_sockets(port, address, backlog=1024)
        found: int = self._sockets[0].getsockname()[1]
        return found

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        self.hub.start()
        application = Application([(r".*", Entrance, {"front": self})], log_function=be_silent)
        server = HTTPServer(application, xheaders=False, max_body_size=65536)
        server.add_sockets(self._sockets)
        looking = PeriodicCallback(self.hub.look_after, LOOK_INTERVAL)
        looking.start()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
        server.stop()
        looking.stop()
        self.hub.close()


def be_silent(handler: RequestHandler) -> None:
    """The processes with handlers have a log of WebSockets."""
