"""``ROOT_WS_URLCONF``: addresses of WebSockets alone, which under ASGI come before all others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, get_resolver

from dwebsocket.conf import conf
from dwebsocket.handlers import BaseWebSocketHandler

__all__ = ["check_urlconf", "find_urlconf", "resolve"]


def resolve(request: HttpRequest) -> ResolverMatch | None:
    """The entry for this request, ``None`` if there is none. Names of addresses, for ``reverse()``,
    go on to be those of the whole site.

    Raises:
        ImproperlyConfigured: the URLconf is none.
    """
    urlconf = find_urlconf()
    if urlconf is None:
        return None
    look_at(urlconf)
    try:
        match = get_resolver(urlconf).resolve(request.path_info)
    except Resolver404:
        return None
    match.func = as_view(match.func)
    request.resolver_match = match
    return match


def find_urlconf() -> str | None:
    """The URLconf that the setting names, or the module that is there without the setting."""
    root = getattr(settings, "ROOT_URLCONF", None)
    if conf.ROOT_WS_URLCONF is not None or not isinstance(root, str):  # tests have tuples, too
        return conf.ROOT_WS_URLCONF
    return find_default(root)


@cache
def find_default(root: str) -> str | None:
    """``ws_urls`` beside the root URLconf."""
    package, _, _ = root.rpartition(".")
    name = f"{package}.ws_urls" if package else "ws_urls"
    return name if find_spec(name) is not None else None


def check_urlconf() -> None:
    """Look at the URLconf, if there is one.

    Raises:
        ImproperlyConfigured: it is none.
    """
    urlconf = find_urlconf()
    if urlconf is not None:
        look_at(urlconf)


@cache  # what has been found right
def look_at(urlconf: str) -> None:
    if not isinstance(getattr(load(urlconf), "urlpatterns", None), (list, tuple)):
        raise wrong(urlconf, "has no list of urlpatterns")
    strangers = find_strangers(get_resolver(urlconf).url_patterns)
    if strangers:
        raise wrong(urlconf, f"lists {strangers[0]}, no WebSocketHandler: it needs .as_view()")


def load(urlconf: str) -> Any:
    try:
        return import_module(urlconf)
    except Exception as error:  # whatever an imported module does
        raise wrong(urlconf, f"cannot be imported: {error}") from error


def wrong(urlconf: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"ROOT_WS_URLCONF is {urlconf!r}, which {why}. Without the setting it is ws_urls beside "
        "ROOT_URLCONF, if that is there."
    )


def find_strangers(patterns: list[Any]) -> list[str]:
    """The classes that stand there as a handler may, and are none."""
    found = []
    for pattern in patterns:
        view = getattr(pattern, "callback", None)
        if isinstance(view, type) and not issubclass(view, BaseWebSocketHandler):
            found.append(view.__qualname__)
        found += find_strangers(getattr(pattern, "url_patterns", []))
    return found


def as_view(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view that is listed: a handler may stand there as it is, without ``as_view()``."""
    if isinstance(view, type) and issubclass(view, BaseWebSocketHandler):
        return make_view(view)  # type: ignore[arg-type]  # a class can be hashed
    return view


@cache
def make_view(handler: type[BaseWebSocketHandler]) -> Callable[..., Any]:
    return handler.as_view()
