"""The opening handshake (RFC 6455, 4.2): what a client must ask, what a server answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from websockets.exceptions import InvalidHeader
from websockets.headers import parse_connection, parse_subprotocol, parse_upgrade
from websockets.utils import accept_key

from .exceptions import InvalidHandshake, UnsupportedVersion

__all__ = [
    "OWS",
    "HandshakeRequest",
    "build_response",
    "check_request",
    "check_response",
    "select_subprotocol",
]

#: Headers of the 101 that belong to the protocol and that a view may not set (RFC 6455, 4.2.2).
RESERVED_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)

#: Space that may surround a value (RFC 9110, 5.6.3).
OWS = " \t"

#: What browsers send; anything else is parsed.
USUAL_CONNECTION = frozenset({"upgrade", "keep-alive, upgrade"})

SEPARATORS = frozenset(' "(),/:;<=>?@[\\]{}')


class HandshakeRequest(NamedTuple):
    """The parts of an HTTP request that the opening handshake looks at.

    Attributes:
        method: ``GET`` in a good request.
        protocol: ``HTTP/1.1`` in a good request.
        headers: the values of Connection, Upgrade and Sec-WebSocket-*, by their names in lower
            case, several lines of one name joined by commas (RFC 9110, 5.3); absent when not sent.
        has_body: whether Content-Length or Transfer-Encoding announces a body.
    """

    method: str
    protocol: str
    headers: Mapping[str, str]
    has_body: bool


def check_request(request: HandshakeRequest) -> str:
    """Check a handshake request (RFC 6455, 4.2.1) and return the key for the answer.

    Raises:
        InvalidHandshake: it is not a good one; with the HTTP status and a text that says why.
        UnsupportedVersion: it is for another version than 13.
    """
    if request.method != "GET":
        raise InvalidHandshake(f"A WebSocket handshake is a GET request, this is {request.method}.")
    if request.protocol != "HTTP/1.1":
        raise InvalidHandshake(
            f"A WebSocket handshake is an HTTP/1.1 request, this is {request.protocol}. "
            "A proxy in front must speak HTTP/1.1 to this server."
        )
    if request.has_body:
        raise InvalidHandshake("A WebSocket handshake has no body, this request announces one.")
    check_upgrade(request.headers)
    version = request.headers.get("sec-websocket-version")
    if version is None:
        raise InvalidHandshake("The Sec-WebSocket-Version header is missing.")
    if version.strip(OWS) != "13":
        raise UnsupportedVersion(f"WebSocket version {version!r} is not supported, 13 is.")
    return check_key(request.headers.get("sec-websocket-key"))


def check_upgrade(headers: Mapping[str, str]) -> None:
    """Connection must hold ``Upgrade``; Upgrade must be ``websocket`` (RFC 6455, 4.2.1)."""
    connection = headers.get("connection", "")
    upgrade = headers.get("upgrade", "")
    if upgrade.lower() == "websocket" and connection.lower() in USUAL_CONNECTION:
        return
    try:
        asked = {option.lower() for option in parse_connection(connection)} if connection else set()
        protocols = [protocol.lower() for protocol in parse_upgrade(upgrade)] if upgrade else []
    except InvalidHeader as error:
        raise InvalidHandshake(f"{error}.") from error
    if "upgrade" not in asked:
        raise InvalidHandshake(
            f"The Connection header is {connection!r}, a WebSocket handshake has 'Upgrade' there. "
            "A proxy in front must pass the Connection and Upgrade headers on."
        )
    if protocols != ["websocket"]:
        raise InvalidHandshake(f"The Upgrade header is {upgrade!r} and not 'websocket'.")


def check_key(key: str | None) -> str:
    """The key must be the base64 form of 16 bytes (RFC 6455, 4.1)."""
    if key is None:
        raise InvalidHandshake(
            "The Sec-WebSocket-Key header is missing. A proxy that takes WebSockets over HTTP/2 "
            "(RFC 8441), where they have none, must add it."
        )
    key = key.strip(OWS)
    try:
        raw = base64.b64decode(key.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidHandshake(f"The Sec-WebSocket-Key {key[:80]!r} is not base64.") from error
    if len(raw) != 16:
        raise InvalidHandshake(f"The Sec-WebSocket-Key {key[:80]!r} is not 16 bytes in base64.")
    return key


def select_subprotocol(offered: str | None, supported: Sequence[str]) -> str | None:
    """The first of ``supported`` that the Sec-WebSocket-Protocol header offers, or ``None``.

    Raises:
        InvalidHandshake: the header is malformed.
    """
    if not offered:
        return None
    try:
        names = parse_subprotocol(offered)
    except InvalidHeader as error:
        raise InvalidHandshake(f"{error}.") from error
    return next((name for name in supported if name in names), None)


def build_response(
    key: str,
    subprotocol: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    extensions: str | None = None,
) -> bytes:
    """The 101 answer (RFC 6455, 4.2.2).

    Raises:
        ValueError: a header is one of the protocol's own, or holds characters that would end it;
            or the subprotocol is not a token.
    """
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    ]
    further = check_response(subprotocol, headers)
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    if extensions is not None:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return "\r\n".join([*lines, *further, "", ""]).encode("latin-1")


def check_response(subprotocol: str | None, headers: Iterable[tuple[str, str]]) -> list[str]:
    """What a view adds to the 101, as lines.

    Raises:
        ValueError: as ``build_response``.
    """
    if subprotocol is not None and not (isinstance(subprotocol, str) and is_token(subprotocol)):
        raise ValueError(f"{subprotocol!r} is not the name of a subprotocol")
    lines = []
    for name, value in headers:
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(f"the {name} header belongs to the handshake and cannot be set")
        lines.append(build_header(name, value))
    return lines


def is_token(text: str) -> bool:
    """Whether ``text`` is a token: visible ASCII without separators (RFC 9110, 5.6.2)."""
    return text.isascii() and text.isprintable() and bool(text) and not SEPARATORS & set(text)


def build_header(name: str, value: str) -> str:
    """One header line; control characters and a colon in the name are refused (RFC 9110, 5)."""
    if not is_token(name):
        raise ValueError(f"{name!r} is not the name of a header")
    if not isinstance(value, str):
        raise TypeError(f"the {name} header is {value!r}, it must be text: {str(value)!r}")
    if any((character < " " and character != "\t") or character == "\x7f" for character in value):
        raise ValueError(f"the {name} header holds a control character: {value!r}")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the {name} header cannot be {value!r}, for HTTP carries latin-1 only: quote it, by "
            "urllib.parse.quote() for instance"
        ) from error
    return f"{name}: {value}"
