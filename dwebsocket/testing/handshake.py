"""Where a test connects to, and what its handshake says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.cookies import SimpleCookie
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from django.utils.encoding import iri_to_uri
from django.utils.http import urlencode

__all__ = ["Handshake", "plan_handshake"]

HOST = "testserver"
DEFAULT_PORTS = {"ws": 80, "wss": 443}


class Client(Protocol):
    """What both of Django's test clients have.

    Attributes:
        defaults: what their requests have besides, by the names of an environ (PEP 3333).
    """

    defaults: Any
    cookies: SimpleCookie


class Handshake(NamedTuple):
    """The parts of the address, path and query as they are sent, and what is said to it.

    Attributes:
        scheme: ``ws`` or ``wss``.
        host: with the port, if that is no usual one.
        headers: by names in lower case; without those that every handshake has.
        environ: what the client's requests have besides, by the names of an environ.
    """

    scheme: str
    host: str
    path: str
    query: str
    subprotocols: Sequence[str]
    headers: Mapping[str, str]
    environ: Mapping[str, Any]

    @property
    def url(self) -> str:
        """The whole address."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{self.path}{query}"

    @property
    def server(self) -> tuple[str, int]:
        """The server's name and port."""
        parts = urlsplit(self.url)
        return parts.hostname or HOST, parts.port or DEFAULT_PORTS[self.scheme]


def plan_handshake(
    client: Client,
    address: Any,
    query_params: Mapping[str, Any] | None,
    subprotocols: Sequence[str],
    headers: Mapping[str, str] | None,
    origin: str | None,
) -> Handshake:
    """What a test asks for, with what its client has.

    Args:
        address: a path, or all of it, such as ``ws://host/path?query``; it may be lazy.
        query_params: what is added to its query; without any of both it is the client's own.

    Raises:
        ValueError: there cannot be a WebSocket.
    """
    text = str(address)
    parts = urlsplit(f"ws://{HOST}{text}" if text.startswith("/") else text)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(
            f"{text!r} is no address of a WebSocket: write a path that begins with '/', or "
            "'ws://host/path' or 'wss://host/path'"
        )
    queries = [iri_to_uri(parts.query), urlencode(query_params or {}, doseq=True)]
    query = "&".join(filter(None, queries)) or client.defaults.get("QUERY_STRING", "")
    sent = collect_headers(client, headers, origin)
    host = sent.pop("host", parts.netloc.rpartition("@")[2])
    environ = {k: v for k, v in client.defaults.items() if not k.startswith(("HTTP_", "QUERY_"))}
    return Handshake(
        parts.scheme, host, iri_to_uri(parts.path) or "/", query, subprotocols, sent, environ
    )


def collect_headers(
    client: Client, headers: Mapping[str, str] | None, origin: str | None
) -> dict[str, str]:
    """The client's own headers and its cookies, and those that are given for this connection."""
    collected = {
        key[5:].lower().replace("_", "-"): str(value)
        for key, value in client.defaults.items()
        if key.startswith("HTTP_")
    }
    if client.cookies:
        cookies = (f"{morsel.key}={morsel.coded_value}" for morsel in client.cookies.values())
        collected["cookie"] = "; ".join(sorted(cookies))
    collected |= {name.lower(): value for name, value in (headers or {}).items()}
    if origin is not None:
        collected["origin"] = origin
    return collected
