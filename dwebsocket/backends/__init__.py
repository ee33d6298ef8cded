"""How messages get in and out of each kind of server."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.query import is_engine
from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidWebSocketBackend

__all__ = [
    "MADE",
    "UWSGI",
    "check_factory_class",
    "forget_factory",
    "get_factory",
    "get_usable_factory",
    "keep_usable_factory",
]

#: In the META of a request that no server has made: its factory.
MADE = "dwebsocket.factory"

#: An attribute of a request: its factory, while several may ask for it.
KEPT = "_websocket_factory"

DEFAULT = "dwebsocket.backends.default.factory.WebSocketFactory"
ASGI = "dwebsocket.backends.asgi.factory.WebSocketFactory"
GATEWAY = "dwebsocket.backends.gateway.factory.WebSocketFactory"
SESSIONS = "dwebsocket.backends.sessions.factory.SessionFactory"
UWSGI = "dwebsocket.backends.uwsgi.factory.uWsgiWebSocketFactory"


def get_factory(request: HttpRequest) -> BaseWebSocketFactory:
    """The factory for this request: the setting's, else the one of the server that runs it.

    Resolved for each request, so that no setting is read at import.

    Raises:
        InvalidWebSocketBackend: ``WEBSOCKET_FACTORY_CLASS`` names no class that is a factory.
    """
    made: BaseWebSocketFactory | None = getattr(request, KEPT, None) or request.META.get(MADE)
    if made is not None:
        return made
    path = conf.FACTORY_CLASS
    if path is None:
        path = choose_path(request)
    return make(path, request)


def keep_usable_factory(request: HttpRequest) -> None:
    """Have ``get_factory`` return the same one until ``forget_factory``; not where it raises."""
    try:
        setattr(request, KEPT, get_factory(request))
    except ImproperlyConfigured:  # told by the handshake
        pass


def forget_factory(request: HttpRequest) -> None:
    """Keep the request's factory no more: it refers to the request, and to the server."""
    vars(request).pop(KEPT, None)


def get_usable_factory(request: HttpRequest) -> BaseWebSocketFactory:
    """``get_factory``; if the setting is wrong the factory of the server that runs the request. It
    tells plain HTTP from handshakes and ends the connections behind them: none is accepted then.
    """
    try:
        return get_factory(request)
    except ImproperlyConfigured:
        return make(choose_path(request), request)


def make(path: str, request: HttpRequest) -> BaseWebSocketFactory:
    """The factory of this path for the request; behind another one for a request of Engine.IO."""
    factory = load(path)(request)
    if not is_engine(request):
        return factory
    made: BaseWebSocketFactory = import_string(SESSIONS)(factory)
    return made


def check_factory_class() -> None:
    """Look at ``WEBSOCKET_FACTORY_CLASS``.

    Raises:
        InvalidWebSocketBackend: as ``get_factory``.
    """
    if conf.FACTORY_CLASS is not None:
        load(conf.FACTORY_CLASS)


def choose_path(request: HttpRequest) -> str:
    """The path of the factory, chosen by what only one kind of server gives to a request."""
    if hasattr(request, "scope"):
        return ASGI
    if "dwebsocket.gateway" in request.META:
        return GATEWAY
    return UWSGI if "uwsgi.version" in request.META else DEFAULT


@cache
def load(path: str) -> Callable[[HttpRequest], BaseWebSocketFactory]:
    """The class that a dotted path names."""
    try:
        factory_class: Callable[[HttpRequest], BaseWebSocketFactory] = import_string(path)
    except Exception as error:  # whatever an imported module does
        raise InvalidWebSocketBackend(
            f"WEBSOCKET_FACTORY_CLASS is {path!r}, which cannot be imported: {error}. "
            f"{DEFAULT!r} serves most servers; without the setting the backend is chosen by the "
            "server."
        ) from error
    is_class = inspect.isclass(factory_class)
    if not (is_class and callable(getattr(factory_class, "create_websocket", None))):
        raise InvalidWebSocketBackend(
            f"WEBSOCKET_FACTORY_CLASS is {path!r}, which is no class with a create_websocket() "
            "method. Derive it from dwebsocket.factory.WebSocketFactory."
        )
    return factory_class
