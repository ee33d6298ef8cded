"""The server of one connection: runserver's request handler, on one end of a socket pair."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connections
from django.http import HttpRequest
from django.urls import ResolverMatch

from dwebsocket.backends.default.servers.base import STAYS
from dwebsocket.running.call_contexts import ASIDE
from dwebsocket.upgrade.attachment import attach
from dwebsocket.upgrade.error_log import report, reporter
from dwebsocket.ws_urls import resolve

from .databases import SharedDatabases

__all__ = ["ServerThread"]


class ServerThread(threading.Thread):
    """The server of one connection.

    Args:
        hear: is told what the view or handler fails with.
        in_request: have all of it in this thread.
        environ: what the request's environ has besides, or in the place of what the server knows.
    """

    def __init__(
        self,
        sock: socket.socket,
        hear: Callable[[BaseException], None] | None = None,
        *,
        in_request: bool,
        environ: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name="dwebsocket-test", daemon=True)
        self._sock = sock
        self._hear = hear
        self._environ = environ or {}
        self._databases = SharedDatabases()
        self._options = {STAYS: True} if in_request else {ASIDE: self._databases}

    def run(self) -> None:
        """Serve the request as runserver would."""
        reporter.set(self._hear)
        try:
            with self._databases.enter():
                server: Any = TestServer(self._options, self._environ)
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


class TestApplication(WSGIHandler):
    """Django, which looks for WebSockets in ``ROOT_WS_URLCONF``, too, as under ASGI."""

    __test__ = False  # for pytest: this is not a test

    def __call__(self, *args: Any) -> Any:
        try:
            return super().__call__(*args)
        except BaseException as error:  # what Django lets pass: pytest.fail(), for one
            report(error)
            raise

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

    def __init__(self, options: Mapping[str, Any], environ: Mapping[str, Any]) -> None:
        self.environ = environ
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

    server: Any

    def get_environ(self) -> dict[str, Any]:
        """What the request handler and its server know of the request."""
        return {**super().get_environ(), **self.server.environ}

    def address_string(self) -> str:
        return "127.0.0.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass
