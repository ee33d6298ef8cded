"""What a request carries of its WebSocket."""

from __future__ import annotations

from django.http import HttpRequest

from dwebsocket.backends import get_usable_factory

__all__ = ["MARK", "attach", "is_upgraded"]

#: In request.META, which wrappers of the request (Django REST framework's) share.
MARK = "dwebsocket.websocket"


def always() -> bool:
    return True


def never() -> bool:
    return False


def attach(request: HttpRequest) -> bool:
    """Give the request ``is_websocket`` and ``websocket``; whether it asks for a WebSocket."""
    if not hasattr(request, "is_websocket"):
        asked = get_usable_factory(request).is_websocket()
        request.is_websocket = always if asked else never  # type: ignore[attr-defined]
        request.websocket = request.META.get(MARK)  # type: ignore[attr-defined]
    return bool(request.is_websocket())  # type: ignore[attr-defined]


def is_upgraded(request: HttpRequest) -> bool:
    """Whether somebody further out is already running this request as a WebSocket."""
    return MARK in request.META
