"""Handshakes that arrive as plain HTTP, since a proxy in front has removed their Upgrade header."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from dwebsocket.upgrade.refusals import REQUIRED, printable, refuse

__all__ = ["name_of", "refuse_plain", "tell_if_lost"]

logger = logging.getLogger("dwebsocket.handshake")

LOST = (
    "A proxy in front has removed the Upgrade header of this WebSocket handshake: its "
    "Sec-WebSocket headers have come without 'Upgrade: websocket'. The proxy must pass the Upgrade "
    "and Connection headers on, over HTTP/1.1."
)

#: The views of which it has been told: who sends such requests fills no log with them.
told: set[str] = set()


def refuse_plain(request: HttpRequest) -> HttpResponse:
    """The answer to plain HTTP where a WebSocket is required."""
    return refuse(request, LOST if is_lost(request) else REQUIRED)


def tell_if_lost(request: HttpRequest, view: Callable[..., Any]) -> None:
    """A view answers plain HTTP: log it, once a view in a process, if that was a handshake."""
    if not is_lost(request):
        return
    name = name_of(view)
    if name not in told:
        told.add(name)
        logger.warning(
            "WebSocket answered as plain HTTP: %s %s: %s (Of %s this is said once.)",
            printable(request.method or ""),
            printable(request.path),
            LOST,
            name,
        )


def name_of(view: Callable[..., Any]) -> str:
    """What a view is called in the log."""
    named: Any = getattr(view, "view_class", view)
    return f"{named.__module__}.{getattr(named, '__qualname__', type(named).__qualname__)}"


def is_lost(request: HttpRequest) -> bool:
    """Whether plain HTTP has what only the client of a WebSocket sends."""
    meta = request.META
    if "HTTP_SEC_WEBSOCKET_KEY" not in meta and "HTTP_SEC_WEBSOCKET_VERSION" not in meta:
        return False
    return "websocket" not in meta.get("HTTP_UPGRADE", "").lower()
