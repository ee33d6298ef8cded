"""``get_websocket_application()``: Django under ASGI, with WebSockets.

Each WebSocket becomes a request, which passes Django's middleware and its URLconf as any other. The
request ends when a view has accepted it; the connection goes on in the same call of the server.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, set_script_prefix

from dwebsocket.backends.asgi.connection import (
    CONNECTION,
    AsgiConnection,
    Event,
    Receive,
    Scope,
    Send,
)
from dwebsocket.ws_urls import choose_urlconf, use_view

__all__ = ["WebSocketRequest", "get_websocket_application"]

logger = logging.getLogger("dwebsocket.handshake")

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Servers that have this let a refusal be an ordinary HTTP response.
DENIAL = "websocket.http.response"


def get_websocket_application(http_app: Application | None = None) -> WebSocketApplication:
    """What ``asgi.py`` gives to the server, in the place of Django's ``get_asgi_application()``.

    Args:
        http_app: who gets the plain HTTP requests; Django, if nobody is named.
    """
    django.setup(set_prefix=False)
    return WebSocketApplication(http_app)


class WebSocketRequest(ASGIRequest):
    """The request of a WebSocket: a GET request without a body."""

    def __init__(self, scope: Scope, body_file: Any) -> None:
        super().__init__({**scope, "method": "GET"}, body_file)

    def _get_scheme(self) -> str | None:
        return "https" if self.scope.get("scheme") == "wss" else "http"


class WebSocketApplication(ASGIHandler):
    """Django's own application, which takes WebSockets, too."""

    def __init__(self, http_app: Application | None = None) -> None:
        super().__init__()
        self._http_app: Application = http_app or super().__call__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.serve_websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
        else:
            await self._http_app(scope, receive, send)

    async def serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The whole life of one connection."""
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        async with ThreadSensitiveContext() as sensitive:
            connection = AsgiConnection(scope, receive, send, sensitive)
            try:
                await self.respond(connection)
                connection.release_thread()
                if connection.websocket is not None:
                    await connection.websocket.serve()
            finally:
                if connection.websocket is not None:
                    await connection.websocket.abandon()
                connection.release_thread()

    async def respond(self, connection: AsgiConnection) -> None:
        """The request. A refusal is written here; otherwise a view has accepted."""
        set_script_prefix(get_script_prefix(connection.scope))
        await signals.request_started.asend(sender=self.__class__, scope=connection.scope)
        request, response = self.create_websocket_request(connection)
        if request is not None:
            response = await self.run_get_response(request)
        try:
            if connection.websocket is None:
                await self.refuse(connection, response)
        finally:
            await sync_to_async(response.close)()

    def create_websocket_request(
        self, connection: AsgiConnection
    ) -> tuple[WebSocketRequest | None, HttpResponseBase]:
        """The request, or the answer to one that cannot be read."""
        try:
            request = WebSocketRequest(connection.scope, BytesIO())
        except UnicodeDecodeError:
            logger.warning("WebSocket refused with 400: its address is not UTF-8")
            return None, HttpResponse(status=400)
        request.META[CONNECTION] = connection
        choose_urlconf(request)
        return request, HttpResponse()

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Find the view."""
        match: ResolverMatch = super().resolve_request(request)
        return use_view(match) if isinstance(request, WebSocketRequest) else match

    async def refuse(self, connection: AsgiConnection, response: HttpResponseBase) -> None:
        """Answer the handshake with an HTTP response; with 403 where the server has no way for
        another one.
        """
        if DENIAL not in connection.scope.get("extensions", {}):
            await connection.send({"type": "websocket.close"})
            return

        async def send(event: Event) -> None:
            await connection.send({**event, "type": f"websocket.{event['type']}"})

        try:
            await self.send_response(response, send)
        except OSError:
            pass  # the client has left


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Nothing is to be done at the start and at the end."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
