"""``WebSocketHandler``: called when something happens, and holding nothing while idle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.generic import View

from dwebsocket.database import EveryDatabase
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.upgrade import (
    Terms,
    attach,
    call_handler,
    end_connection_behind,
    end_connection_behind_error,
    is_upgraded,
)
from dwebsocket.websocket import BaseWebSocket, BytesLike, Message

__all__ = ["JsonWebSocketHandler", "WebSocketHandler"]

HOOKS = ("on_open", "on_message", "on_close", "on_error")


class WebSocketHandler(View):
    """A class-based view for WebSockets: one instance for each connection.

    The methods below are called one after the other, never two at once; those of different
    connections run side by side. Each runs in the context of the request. Whatever one raises is
    logged as the error of a view, and closes its connection with 1011.

    Attributes:
        subprotocols: those it speaks, the preferred first.
        keep_request: ``False`` gives the request's memory back after ``on_open``; then
            ``self.request`` has ``user`` and ``path`` only.
        websocket: the WebSocket; ``send`` may be called from any thread, at any time.
    """

    subprotocols: ClassVar[Sequence[str]] = ()
    keep_request: bool = True
    websocket: BaseWebSocket
    request: HttpRequest

    # What you write

    def on_open(self) -> Any:
        """The connection is open. Called in the request, whose middleware is still around it."""

    def on_message(self, message: Any) -> Any:
        """A message has come: ``str`` for text, ``bytes`` for binary."""

    def on_close(self) -> Any:
        """The connection has ended, for whatever reason; ``self.websocket.close_code`` tells.
        Called once for every ``on_open`` that began.
        """

    def on_error(self, error: Exception) -> Any:
        """``on_open`` or ``on_message`` raised ``error``, which is logged; a Close with 1011
        follows.
        """

    # What you call

    def send(self, message: str | BytesLike) -> None:
        """Send ``str`` as text, bytes-like as binary. Never waits: what the socket does not take at
        once waits in memory, up to ``WEBSOCKET_MAX_SEND_BUFFER``.

        Raises:
            ConnectionClosed: the connection is closed, or was now, since the peer reads too slowly.
        """
        self.websocket.send(message)

    def send_json(self, obj: Any) -> None:
        """Send ``obj`` as JSON text."""
        self.websocket.send_json(obj)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, without waiting for the peer; ``on_close`` is called in the end."""
        self.websocket.close(code, reason)

    def _receive(self, messages: list[Message]) -> None:
        """What the connection calls; it calls ``on_message`` for each message, taken out from the
        end of the list.
        """
        on_message = self.on_message
        while messages:
            on_message(messages.pop())

    # What Django calls

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """The view for ``path()``."""
        check_hooks(cls)
        inner = super().as_view(**initkwargs)

        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            attach(request)
            try:
                response: HttpResponseBase = inner(request, *args, **kwargs)
            except Exception:  # a mixin's PermissionDenied, for instance
                if not is_upgraded(request):
                    end_connection_behind_error(request)
                raise
            if not is_upgraded(request):
                end_connection_behind(request, response)
            return response

        view.__dict__.update(inner.__dict__)
        view.__doc__, view.__module__ = cls.__doc__, cls.__module__
        view.accept_websocket = view.require_websocket = True  # type: ignore[attr-defined]
        view.handles_websocket = True  # type: ignore[attr-defined]
        # A transaction around the handshake would protect nothing that a handler does later.
        view._non_atomic_requests = EveryDatabase()  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The opening handshake. Mixins that refuse a request do so in front of it."""
        if not attach(request) and hasattr(self, "get"):
            return super().dispatch(request, *args, **kwargs)
        return call_handler(request, self, Terms(True, tuple(self.subprotocols)))


class JsonWebSocketHandler(WebSocketHandler):
    """``on_message`` gets what a JSON message holds. What is not JSON goes to ``on_error``, and the
    connection is closed with 1007.
    """

    def _receive(self, messages: list[Message]) -> None:
        while messages:
            try:
                content = json.loads(messages.pop())
            except ValueError as error:  # UnicodeDecodeError is one
                self.on_error(error)
                self.close(CloseCode.INVALID_DATA, "not JSON")
                return
            self.on_message(content)


def check_hooks(cls: type[WebSocketHandler]) -> None:
    for name in HOOKS:
        if iscoroutinefunction(getattr(cls, name)):
            raise ImproperlyConfigured(
                f"{cls.__qualname__}.{name} is 'async def'; a handler's methods are plain functions"
            )
