"""How messages get in and out of each kind of server."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.http import HttpRequest
from django.utils.module_loading import import_string

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidWebSocketBackend

__all__ = ["get_factory"]

DEFAULT = "dwebsocket.backends.default.factory.WebSocketFactory"
ASGI = "dwebsocket.backends.asgi.factory.WebSocketFactory"
UWSGI = "dwebsocket.backends.uwsgi.factory.uWsgiWebSocketFactory"


def get_factory(request: HttpRequest) -> BaseWebSocketFactory:
    """The factory for this request: the setting's, else the one of the server that runs it.

    Resolved for each request, so that no setting is read at import.

    Raises:
        InvalidWebSocketBackend: ``WEBSOCKET_FACTORY_CLASS`` names nothing that can be imported.
    """
    path = conf.FACTORY_CLASS
    if path is None:
        path = choose_path(request)
    return load(path)(request)


def choose_path(request: HttpRequest) -> str:
    """The path of the factory, chosen by what only one kind of server gives to a request."""
    if hasattr(request, "scope"):
        return ASGI
    return UWSGI if "uwsgi.version" in request.META else DEFAULT


@cache
def load(path: str) -> Callable[[HttpRequest], BaseWebSocketFactory]:
    """The class that a dotted path names."""
    try:
        factory_class: Callable[[HttpRequest], BaseWebSocketFactory] = import_string(path)
    except ImportError as error:
        raise InvalidWebSocketBackend(
            f"WEBSOCKET_FACTORY_CLASS is {path!r}, which cannot be imported: {error}"
        ) from error
    return factory_class
