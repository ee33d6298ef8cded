"""``WebSocketClient``: Django's test client plus ``websocket()``.

The view runs in a thread, below the whole middleware stack, behind runserver's request handler on
one end of a socket pair; the test holds the other end. So the bytes are real, and no port is used.

Handlers and async views go on when their request has ended, in other threads, as on every server.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.serializers.json import DjangoJSONEncoder
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.test import Client
from django.urls import ResolverMatch
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed as ClientConnectionClosed
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from dwebsocket.backends.default.servers.base import STAYS
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.messages import BytesLike
from dwebsocket.running.call_contexts import ASIDE
from dwebsocket.upgrade.attachment import attach
from dwebsocket.ws_urls import resolve

__all__ = ["WebSocketClient", "WebSocketRefused", "WebSocketSession"]

#: Seconds after which a test that waits for the view is told so.
TIMEOUT = 5.0


class WebSocketRefused(Exception):
    """The view, or something in front of it, answered the handshake with plain HTTP.

    Attributes:
        status_code: HTTP status.
        headers: the answer's headers.
        content: the answer's body.
    """

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        super().__init__(status_code, content)
        self.status_code = status_code
        self.headers = headers
        self.content = content

    def __str__(self) -> str:
        return f"refused with {self.status_code}: {self.content.decode(errors='replace')[:500]}"


class WebSocketClient(Client):
    """The test client, which can also open WebSockets with its cookies and its login."""

    def websocket(
        self,
        path: str,
        *,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        timeout: float = TIMEOUT,
        in_request: bool = False,
    ) -> WebSocketSession:
        """Open a WebSocket; use it as a context manager.

        Args:
            path: address, with the query string if there is one.
            subprotocols: those to offer.
            headers: further headers of the handshake.
            origin: what a browser would send; without it no check of the origin takes place.
            timeout: seconds that each step may take.
            in_request: have all of it in the thread of the request, within its middleware. No
                server does so with handlers and async views.

        Raises:
            WebSocketRefused: the answer was not a 101.
            TimeoutError: there was no answer.
        """
        sent = dict(headers or {})
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{key}={m.value}" for key, m in self.cookies.items())
        protocol = ClientProtocol(
            parse_uri(f"ws://testserver{path}"),
            origin=origin,  # type: ignore[arg-type]
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            max_size=None,
        )
        server_end, client_end = socket.socketpair()
        server = ServerThread(server_end, in_request=in_request)
        server.start()
        connection = ClientConnection(
            client_end, protocol, ping_interval=None, close_timeout=timeout, max_queue=None
        )
        open_connection(connection, server, sent, timeout)
        return WebSocketSession(connection, server, timeout)


def open_connection(
    connection: ClientConnection, server: ServerThread, headers: Mapping[str, str], timeout: float
) -> None:
    """The opening handshake.

    Raises:
        WebSocketRefused: the answer was not a 101.
        TimeoutError: there was no answer.
    """
    try:
        connection.handshake(Headers(headers), timeout=timeout)
        connection.__enter__()  # websockets warns of a connection used without
    except InvalidStatus as error:
        server.join(timeout)
        response = error.response
        raise WebSocketRefused(
            response.status_code, dict(response.headers), bytes(response.body or b"")
        ) from error


class WebSocketSession:
    """The client's side of one WebSocket."""

    def __init__(self, connection: ClientConnection, server: ServerThread, timeout: float) -> None:
        self._connection = connection
        self._server = server
        self._timeout = timeout

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the view chose, or ``None``."""
        return self._connection.subprotocol

    @property
    def close_code(self) -> int | None:
        """The code of the view's Close, ``None`` while open."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason in the view's Close, ``None`` while open."""
        return self._connection.close_reason

    def send(self, message: str | BytesLike) -> None:
        """Send ``str`` as text, bytes-like as binary."""
        self._connection.send(message)

    def send_json(self, obj: Any) -> None:
        """Send ``obj`` as JSON text."""
        self.send(json.dumps(obj, cls=DjangoJSONEncoder))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message.

        Raises:
            TimeoutError: the view sent nothing in time.
            ConnectionClosed: the view closed the connection; with its code and reason.
        """
        try:
            message: str | bytes = self._connection.recv(
                self._timeout if timeout is None else timeout
            )
        except ClientConnectionClosed as error:
            raise ConnectionClosed(self.close_code or 1006, self.close_reason or "") from error
        return message

    def receive_json(self, timeout: float | None = None) -> Any:
        """The next message, decoded."""
        return json.loads(self.receive(timeout))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until the view has ended.

        Raises:
            TimeoutError: the view goes on although its client has left.
        """
        self._connection.close(code, reason)
        if not self._server.wait(self._timeout):
            raise TimeoutError(
                f"the view still runs {self._timeout} seconds after its client has closed"
            )

    def __enter__(self) -> WebSocketSession:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ServerThread(threading.Thread):
    """The server of one connection."""

    def __init__(self, sock: socket.socket, *, in_request: bool) -> None:
        super().__init__(name="dwebsocket-test", daemon=True)
        self._sock = sock
        self._databases = SharedDatabases()
        self._options = {STAYS: True} if in_request else {ASIDE: self._databases}

    def run(self) -> None:
        """Serve the request as runserver would."""
        try:
            with self._databases.enter():
                server: Any = TestServer(self._options)
                QuietRequestHandler(self._sock, ("127.0.0.1", 0), server)
        except OSError:
            pass  # a response to a socket that the WebSocket has shut down
        finally:
            self._sock.close()
            connections.close_all()
            self._databases.end()

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the request, and of what goes on beside it; whether it came."""
        deadline = time.monotonic() + timeout
        self.join(timeout)
        return self._databases.unused.wait(max(0.0, deadline - time.monotonic()))


class SharedDatabases:
    """The database connections of a test that is inside a transaction, for all who serve it.

    As LiveServerTestCase does: the view sees what the test has written.

    Attributes:
        unused: the request has ended, and nobody goes on beside it.
    """

    def __init__(self) -> None:
        self._connections = {
            connection.alias: connection
            for connection in connections.all(initialized_only=True)
            if connection.in_atomic_block
        }
        self._users = 1  # the request
        self._lock = threading.Lock()
        self.unused = threading.Event()
        for connection in self._connections.values():
            share(connection)

    def begin(self) -> None:
        """Somebody goes on when the request has ended."""
        with self._lock:
            self._users += 1

    def end(self) -> None:
        """The request has ended, or who went on beside it has."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        for connection in self._connections.values():
            unshare(connection)
        self.unused.set()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Have them in the running thread, in the place of its own."""
        own = {connection.alias: connection for connection in connections.all(True)}
        for alias, connection in self._connections.items():
            connections[alias] = connection
        try:
            yield
        finally:
            for alias in self._connections:
                if alias in own:
                    connections[alias] = own[alias]
                else:
                    del connections[alias]


def share(connection: BaseDatabaseWrapper) -> None:
    """Let another thread use the test's connection, and not close it at the request's end."""
    connection.inc_thread_sharing()
    connection.close_if_unusable_or_obsolete = lambda: None  # type: ignore[method-assign]


def unshare(connection: BaseDatabaseWrapper) -> None:
    """Give the test its connection back: the other threads have ended."""
    connection.dec_thread_sharing()
    if not connection.allow_thread_sharing:
        del connection.close_if_unusable_or_obsolete


class TestApplication(WSGIHandler):
    """Django, which looks for WebSockets in ``ROOT_WS_URLCONF``, too, as under ASGI."""

    __test__ = False  # for pytest: this is not a test

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Find the view."""
        match = resolve(request) if attach(request) else None
        return match or super().resolve_request(request)


class TestServer:
    """What the request handler asks of its server."""

    __test__ = False  # for pytest: this is not a test
    server_name = "testserver"
    server_port = 80
    multithread = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.base_environ = {
            "SERVER_NAME": self.server_name,
            "SERVER_PORT": str(self.server_port),
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REMOTE_HOST": "",
            "CONTENT_LENGTH": "",
            "SCRIPT_NAME": "",
            **options,
        }
        self._application = TestApplication()

    def get_app(self) -> WSGIHandler:
        """Django, with the settings of the moment."""
        return self._application


class QuietRequestHandler(WSGIRequestHandler):
    """Writes no access log into the test's output."""

    def address_string(self) -> str:
        return "127.0.0.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass
