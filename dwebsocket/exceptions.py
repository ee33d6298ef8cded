"""The exceptions users meet.

WebSocketError
├── InvalidHandshake          answered with its ``status_code``
│   ├── UnsupportedVersion    426
│   └── InvalidOrigin         403
├── InvalidState              a call that the connection is not ready for: a mistake in the view
├── GroupUnavailable          a group's message may not have reached the other processes
└── ConnectionClosed          also an EOFError
InvalidWebSocketBackend, InvalidGroupBackend, SocketTakeoverError: ImproperlyConfigured
ForeignRunDirectory: InvalidGroupBackend
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from dwebsocket.protocol.exceptions import (
    InvalidHandshake,
    InvalidOrigin,
    UnsupportedVersion,
    WebSocketError,
)

__all__ = [
    "ConnectionClosed",
    "ForeignRunDirectory",
    "GroupUnavailable",
    "InvalidGroupBackend",
    "InvalidHandshake",
    "InvalidOrigin",
    "InvalidState",
    "InvalidWebSocketBackend",
    "SocketTakeoverError",
    "UnsupportedVersion",
    "WebSocketError",
]


class ConnectionClosed(WebSocketError, EOFError):
    """The connection is closed, nothing more can be read or sent.

    A view that lets it escape has ended normally.

    Attributes:
        code: close code (RFC 6455, 7.4.1); 1005: a Close without one; 1006: no Close at all.
        reason: what the Close said, or why we closed.
    """

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the WebSocket is closed: {self.code}" + (f" {self.reason}" if self.reason else "")


class InvalidState(WebSocketError):
    """The view called something at the wrong time, such as ``accept()`` twice."""


class GroupUnavailable(WebSocketError):
    """What connects the processes (Redis) did not take the message, or not in time: it got to the
    members in this process. Whether it got to others, nobody knows.
    """


class InvalidGroupBackend(ImproperlyConfigured):
    """``WEBSOCKET_GROUPS`` does not describe a usable backend."""


class ForeignRunDirectory(InvalidGroupBackend):
    """The run directory belongs to another user: nobody of it is reached from this process."""


class InvalidWebSocketBackend(ImproperlyConfigured):
    """``WEBSOCKET_FACTORY_CLASS`` does not name a usable class."""


class SocketTakeoverError(ImproperlyConfigured):
    """The server does not let go of its socket."""
