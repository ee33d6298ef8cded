"""``AsyncWebSocketClient``: Django's async test client plus ``websocket()``.

What it calls is the application for ASGI servers, in the event loop of the test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from asgiref.sync import sync_to_async
from django.test import AsyncClient

from dwebsocket.asgi import WebSocketApplication

from .asgi_call import Application, AsgiCall
from .async_session import AsyncWebSocketSession
from .databases import SharedDatabases
from .errors import ViewErrors
from .handshake import Handshake, plan_handshake
from .session import TIMEOUT

__all__ = ["AsyncWebSocketClient", "Opening"]

#: What every handshake has (RFC 6455, 4.1).
HANDSHAKE = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class AsyncWebSocketClient(AsyncClient):
    """The async test client, which can also open WebSockets with its cookies and its login."""

    def websocket(
        self,
        path: Any,
        *,
        query_params: Mapping[str, Any] | None = None,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        timeout: float = TIMEOUT,
        raise_request_exception: bool | None = None,
        application: Application | None = None,
    ) -> Opening:
        """Open a WebSocket: ``async with client.websocket(…) as websocket``, or
        ``websocket = await client.websocket(…)``.

        Args:
            path, query_params, subprotocols, headers, origin, timeout, raise_request_exception:
                as those of ``WebSocketClient.websocket``.
            application: what an ASGI server would call; ``None``: dwebsocket's, with nothing
                around it.

        Raises:
            WebSocketRefused: it was not accepted.
            TimeoutError: there was no answer.
        """
        handshake = plan_handshake(self, path, query_params, subprotocols, headers, origin)
        errors = ViewErrors(self, raise_request_exception)
        return Opening(partial(open_session, application, handshake, errors, timeout))


def build_scope(handshake: Handshake) -> dict[str, Any]:
    """What a server says of a connection (ASGI specification, "WebSocket")."""
    subprotocols = list(handshake.subprotocols)
    offered = {"sec-websocket-protocol": ", ".join(subprotocols)} if subprotocols else {}
    headers = {"host": handshake.host, **HANDSHAKE, **offered, **handshake.headers}
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": handshake.scheme,
        "server": handshake.server,
        "client": (handshake.environ.get("REMOTE_ADDR", "127.0.0.1"), 0),
        "path": unquote(handshake.path),
        "raw_path": handshake.path.encode("ascii"),
        "query_string": handshake.query.encode("ascii"),
        "root_path": "",
        "headers": [
            (key.encode("ascii"), value.encode("latin-1")) for key, value in headers.items()
        ],
        "subprotocols": subprotocols,
        "extensions": {"websocket.http.response": {}},
    }


async def open_session(
    application: Application | None, handshake: Handshake, errors: ViewErrors, timeout: float
) -> AsyncWebSocketSession:
    """The opening handshake."""
    __tracebackhide__ = True
    # In the thread in which Django has queries made: there are the test's connections.
    application, databases = await sync_to_async(prepare)(application)
    call = AsgiCall(application, build_scope(handshake), errors, databases)
    await call.open(timeout)
    return AsyncWebSocketSession(call, errors, timeout)


def prepare(application: Application | None) -> tuple[Application, SharedDatabases]:
    """What is called, and the connections that it shares with the test."""
    return application or WebSocketApplication(), SharedDatabases()


class Opening:
    """A WebSocket that is opened when it is awaited, or entered."""

    _session: AsyncWebSocketSession

    def __init__(self, open_session: Callable[[], Awaitable[AsyncWebSocketSession]]) -> None:
        self._open = open_session

    def __await__(self) -> Generator[Any, None, AsyncWebSocketSession]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncWebSocketSession:
        __tracebackhide__ = True
        self._session = await self
        return self._session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        await self._session.__aexit__(exc_type, exc, traceback)
