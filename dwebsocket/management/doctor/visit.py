"""What is visited, and as whom: the address, and what a browser would send."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.utils.encoding import iri_to_uri
from websockets.uri import WebSocketURI

from dwebsocket.upgrade.arrival import HEADER, sign_question

__all__ = ["InvalidVisit", "Visit", "make_visit"]

SECURE = {"http": False, "https": True, "ws": False, "wss": True}
NO_ADDRESS = "%r is no address of a WebSocket. Give one such as wss://www.example.com/echo/."


class InvalidVisit(ValueError):
    """What was typed in names no address, or no header."""


@dataclass(frozen=True)
class Visit:
    """One address, and what is sent there.

    Attributes:
        uri: the address.
        origin: of the page that opens the WebSocket; ``None``: it is sent without.
        headers: further ones, as name and value; they take the place of those of a handshake.
        subprotocols: what the page offers.
        endpoint: host and port that are connected to.
    """

    uri: WebSocketURI
    origin: str | None
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]
    endpoint: tuple[str, int]

    @property
    def netloc(self) -> str:
        """Host and port, as a browser has them in ``Host``."""
        host = f"[{self.uri.host}]" if ":" in self.uri.host else self.uri.host
        usual = self.uri.port == (443 if self.uri.secure else 80)
        return host if usual else f"{host}:{self.uri.port}"

    @property
    def scheme(self) -> str:
        """Of the site's pages."""
        return "https" if self.uri.secure else "http"

    @property
    def site(self) -> str:
        """The origin of the site's own pages."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def shown(self) -> str:
        """The address as a script has it."""
        scheme = "wss" if self.uri.secure else "ws"
        return f"{scheme}://{self.netloc}{self.uri.resource_name}"


def make_visit(
    url: str,
    *,
    origin: str | None = None,
    headers: list[str] | None = None,
    cookies: list[str] | None = None,
    subprotocols: list[str] | None = None,
    endpoint: str | None = None,
) -> Visit:
    """A visit as a page of the site itself makes it, unless an origin is given; an empty one is
    none.

    Raises:
        InvalidVisit: something cannot be understood.
    """
    uri = read_uri(url)
    further = [read_header(line) for line in headers or []]
    if cookies:
        further.append(("Cookie", "; ".join(cookies)))
    further.append((HEADER, sign_question()))
    there = read_endpoint(endpoint, uri) if endpoint else (uri.host, uri.port)
    visit = Visit(uri, origin or None, tuple(further), tuple(subprotocols or ()), there)
    return visit if origin is not None else replace(visit, origin=visit.site)


def read_uri(url: str) -> WebSocketURI:
    """``https://`` is the same as ``wss://``, ``http://`` as ``ws://``."""
    try:
        parts = urlsplit(url)
        secure = SECURE[parts.scheme]
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if secure else 80)
    except (KeyError, ValueError) as error:
        raise InvalidVisit(NO_ADDRESS % url) from error
    if not host or parts.username is not None:
        raise InvalidVisit(NO_ADDRESS % url)
    return WebSocketURI(secure, host, port, iri_to_uri(parts.path) or "/", iri_to_uri(parts.query))


def read_endpoint(text: str, uri: WebSocketURI) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        return parts.hostname or uri.host, parts.port or uri.port
    except ValueError as error:
        raise InvalidVisit(f"--connect is {text!r}, it must be HOST:PORT.") from error


def read_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not (colon and name.strip()):
        raise InvalidVisit(f"--header is {line!r}, it must be 'Name: value'.")
    return name.strip(), value.strip()
