"""At which addresses of this project a WebSocket is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import get_resolver

from dwebsocket.conf import conf
from dwebsocket.handlers import BaseWebSocketHandler
from dwebsocket.middleware import accepts
from dwebsocket.ws_urls import find_urlconf

__all__ = ["show_addresses"]

#: How many are named.
SHOWN = 8


def list_addresses() -> list[str]:
    """Their patterns, as the URLconf has them."""
    found = {*walk(get_resolver().url_patterns, "/")}
    further = find_urlconf()
    if further is not None:
        found |= {*walk(get_resolver(further).url_patterns, "/")}
    return sorted(found)


def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
    for entry in patterns:
        address = prefix + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from walk(entry.url_patterns, address)
        elif is_for_websockets(entry.callback):
            yield address


def is_for_websockets(view: Any) -> bool:
    return accepts(view) or (isinstance(view, type) and issubclass(view, BaseWebSocketHandler))


def show_addresses() -> str:
    """A sentence that names some of them."""
    if conf.ACCEPT_ALL:
        return "With WEBSOCKET_ACCEPT_ALL every address accepts WebSockets."
    addresses = list_addresses()
    if not addresses:
        return "No address of this project accepts WebSockets: decorate a view."
    more = f" and {len(addresses) - SHOWN} more" if len(addresses) > SHOWN else ""
    return f"Addresses that accept WebSockets: {', '.join(addresses[:SHOWN])}{more}."
