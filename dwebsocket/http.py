"""What a view gets: its request and, in there, its WebSocket. For annotations; nothing here is made
by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, TypeVar, overload

from django.http import HttpRequest

from dwebsocket.html import AnyTemplate
from dwebsocket.protocol.messages import BytesLike, Message

__all__ = ["HttpOrWebSocketRequest", "WebSocket", "WebSocketRequest"]

Fallback = TypeVar("Fallback")


class WebSocket:
    """A WebSocket in a view or a handler: the members that are for them.

    Objects compare by identity, are hashable, and take attributes of your own.

    Attributes:
        subprotocol: the one agreed on, or ``None``.
    """

    __slots__ = ()

    subprotocol: str | None

    # The opening handshake

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Accept the connection, in a view decorated with ``auto_accept=False``.

        Args:
            subprotocol: one of those the client offered, or ``None``.
            headers: further headers of the 101, such as ``{"Set-Cookie": "…"}``.

        Raises:
            InvalidHandshake: the process holds ``WEBSOCKET_MAX_CONNECTIONS`` WebSockets already, or
                has no descriptors left; if the view lets it escape, the answer is 503.
            InvalidState: the connection is accepted already.
            SocketTakeoverError: the server does not let go of this connection; if the view lets it
                escape, the answer is 501.
            TypeError: headers that are no dictionary of text.
            ValueError: a header that is not allowed, or a subprotocol that is no token.
        """
        raise NotImplementedError

    @property
    def accepted(self) -> bool:
        """Whether the 101 has been sent."""
        raise NotImplementedError

    @property
    def transport(self) -> str:
        """What carries it now: "websocket", or "polling" where HTTP does."""
        raise NotImplementedError

    # Receiving

    def wait(self, timeout: float | None = None) -> Message | None:
        """The next message: ``str`` for text, ``bytes`` for binary. Blocks.

        Args:
            timeout: seconds; ``None`` waits for ever, 0 does not wait.

        Returns:
            The message, or ``None``, once, when the connection has closed.

        Raises:
            TimeoutError: no message came in time.
            ConnectionClosed: the connection had closed and an earlier call said so.
            TypeError: ``timeout`` is no number.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[Message]:
        """The messages, until the connection closes."""
        raise NotImplementedError

    @overload
    def read(self, fallback: None = None) -> Message | None: ...
    @overload
    def read(self, fallback: Fallback) -> Message | Fallback: ...
    def read(self, fallback: Any = None) -> Any:
        """The next message if a whole one is here, else ``fallback``. Never blocks.

        Raises:
            ConnectionClosed: the connection had closed and an earlier call returned ``fallback``
                for it.
        """
        raise NotImplementedError

    def has_messages(self) -> bool:
        """Whether a whole message is here. Never blocks."""
        raise NotImplementedError

    def count_messages(self) -> int:
        """How many whole messages are here. Never blocks."""
        raise NotImplementedError

    def wait_json(self, timeout: float | None = None) -> Any:
        """``wait()`` and decode the message as JSON; ``None`` when the connection has closed.

        Raises:
            ValueError: the message is not JSON. The connection stays open.
        """
        raise NotImplementedError

    def fileno(self) -> int:
        """A descriptor for ``select`` and its kin, the socket's where there is one; -1 before the
        WebSocket is accepted.

        Messages may wait in memory while the descriptor is silent: ask ``has_messages()`` first.
        """
        raise NotImplementedError

    # Sending

    def send(self, message: str | BytesLike) -> None:
        """Send ``str`` as text, bytes-like as binary. Safe from any thread or greenlet.

        Raises:
            ConnectionClosed: the connection is closed, whatever is sent: ``None`` may be what
                ``wait()`` has returned for that.
            TypeError: ``message`` is of another type.
        """
        raise NotImplementedError

    def send_json(self, obj: Any) -> None:
        """Send ``obj`` as JSON text; dates, decimals and UUIDs as Django's encoder writes them."""
        raise NotImplementedError

    def send_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        *,
        engine: str | None = None,
    ) -> None:
        """Send what a template makes of ``context``, as text.

        Args:
            template: its name, a list of names of which the first that exists is taken, or a
                template.
            request: for context processors and ``{% csrf_token %}``; without one there are none.
            engine: the ``NAME`` of the engine, where ``TEMPLATES`` has several.

        Raises:
            ConnectionClosed: the connection is closed.
            TemplateDoesNotExist: no engine has the template.
            TypeError: ``context`` is no dictionary, or ``template`` of another type.
        """
        raise NotImplementedError

    def ping(self, data: str | BytesLike = b"") -> None:
        """Send a Ping with up to 125 bytes; the library consumes the Pong.

        Raises:
            ConnectionClosed: the connection is closed.
            TypeError: ``data`` is neither text nor bytes.
            ValueError: ``data`` is too long.
        """
        raise NotImplementedError

    # The end

    def close(self, code: int | None = 1000, reason: str | bytes | None = "") -> None:
        """Close the connection: send a Close, wait for the peer's, no longer than
        ``WEBSOCKET_CLOSE_TIMEOUT``. Further calls do nothing.

        Args:
            code: 1000, another code that may be sent, or one of your own (4000 to 4999).
            reason: at most 123 bytes of UTF-8.

        Raises:
            TypeError: the code is no number, or the reason no text.
            ValueError: a code that may not be sent, or too long a reason.
        """
        raise NotImplementedError

    def disconnect(self, code: int | None = 1000, reason: str | bytes | None = "") -> None:
        """The same as ``close()``."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, noticing a Close or a hang-up that has arrived."""
        raise NotImplementedError

    def is_closed(self) -> bool:
        """The same as ``closed``."""
        raise NotImplementedError

    @property
    def connected(self) -> bool:
        """Whether the connection is accepted and has not ended; looks as ``closed`` does."""
        raise NotImplementedError

    @property
    def close_code(self) -> int | None:
        """Why the connection ended (RFC 6455, 7.4.1), ``None`` as long as it has not; whoever was
        first to end it has said so. 1005: the peer gave no code; 1006: the connection broke.
        """
        raise NotImplementedError

    @property
    def close_reason(self) -> str | None:
        """The text beside ``close_code``, ``None`` until there is a code."""
        raise NotImplementedError

    # The async twins

    async def areceive(self, timeout: float | None = None) -> Message | None:
        """``wait()`` for an async view."""
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, until the connection closes."""
        raise NotImplementedError

    async def asend(self, message: str | BytesLike) -> None:
        """``send()`` for an async view."""
        raise NotImplementedError

    async def asend_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        *,
        engine: str | None = None,
    ) -> None:
        """``send_html()`` for async code: the template is rendered in a thread, and may query the
        database.
        """
        raise NotImplementedError

    async def adrain(self) -> None:
        """Wait until what was sent without waiting has left."""
        raise NotImplementedError

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """``close()`` for an async view."""
        raise NotImplementedError


class RequestType(type):
    """Makes ``isinstance()`` look at what the request carries: no request is made of these
    classes, a server makes its own.
    """

    def __instancecheck__(cls, request: Any) -> bool:
        if cls is WebSocketRequest:
            return getattr(request, "websocket", None) is not None
        if cls is HttpOrWebSocketRequest:
            return hasattr(request, "websocket")
        return super().__instancecheck__(request)


class HttpOrWebSocketRequest(HttpRequest, metaclass=RequestType):
    """A request of a view that answers plain HTTP, too: ``accept_websocket``, or the middleware.

    An annotation, not what servers make requests of. ``isinstance(request, …)`` tells whether the
    middleware or a decorator has given the request these members.

    Attributes:
        websocket: the WebSocket, ``None`` on plain HTTP.
    """

    websocket: WebSocket | None

    def is_websocket(self) -> bool:
        """Whether the request asks for a WebSocket."""
        raise NotImplementedError


class WebSocketRequest(HttpOrWebSocketRequest):
    """A request with a WebSocket: that of ``require_websocket``, and of a handler.

    An annotation, not what servers make requests of. ``isinstance(request, WebSocketRequest)``
    tells whether the request has a WebSocket, which is also how a type checker comes to know that
    of another request.

    Attributes:
        websocket: the WebSocket.
    """

    websocket: WebSocket
