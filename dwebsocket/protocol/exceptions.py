"""What a peer can do wrong, each with the answer it gets."""

from __future__ import annotations

from collections.abc import Mapping

from websockets.frames import CloseCode

__all__ = [
    "InvalidHandshake",
    "InvalidOrigin",
    "InvalidPayload",
    "MessageTooBig",
    "ProtocolError",
    "UnsupportedVersion",
    "WebSocketError",
]


class WebSocketError(Exception):
    """Base of what goes wrong with a WebSocket."""


class InvalidHandshake(WebSocketError):
    """The opening handshake cannot be completed (RFC 6455, 4.2.1).

    Attributes:
        status_code: HTTP status of the answer.
        headers: further headers of the answer.
    """

    status_code = 400
    headers: Mapping[str, str] = {}


class UnsupportedVersion(InvalidHandshake):
    """The client speaks another version of the protocol (RFC 6455, 4.4)."""

    status_code = 426
    headers: Mapping[str, str] = {"Sec-WebSocket-Version": "13"}


class InvalidOrigin(InvalidHandshake):
    """The page that opened the connection is not one we trust (RFC 6455, 10.2)."""

    status_code = 403


class ProtocolError(WebSocketError):
    """The peer broke the protocol; the connection is failed (RFC 6455, 7.1.7).

    Attributes:
        code: close code to send (RFC 6455, 7.4.1).
        reason: text for the Close frame, at most 123 bytes.
    """

    code: int = CloseCode.PROTOCOL_ERROR

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidPayload(ProtocolError):
    """A text message, or a reason to close, is not UTF-8 (RFC 6455, 8.1)."""

    code = CloseCode.INVALID_DATA


class MessageTooBig(ProtocolError):
    """A message is bigger than we take (RFC 6455, 7.4.1)."""

    code = CloseCode.MESSAGE_TOO_BIG
