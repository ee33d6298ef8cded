"""Django's test clients, which can also open WebSockets.

``client``, ``session``, ``server``
    the client that the view meets over a socket pair; the test's end of it; the other one.
``async_client``, ``async_session``, ``asgi_call``
    the client that calls the application for ASGI servers, in the event loop of the test; its
    session; what stands in the place of the server.
``handshake``, ``refusal``, ``errors``, ``databases``
    what both have: where they connect to, and what they get: a refusal, the errors of the view, the
    database connections of the test.
"""

from .async_client import AsyncWebSocketClient
from .async_session import AsyncWebSocketSession
from .client import WebSocketClient
from .refusal import WebSocketRefused
from .session import WebSocketSession

__all__ = [
    "AsyncWebSocketClient",
    "AsyncWebSocketSession",
    "WebSocketClient",
    "WebSocketRefused",
    "WebSocketSession",
]
