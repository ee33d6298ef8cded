"""``ROOT_WS_URLCONF``: addresses of WebSockets alone, which under ASGI come before all others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, get_resolver

from dwebsocket.conf import conf
from dwebsocket.handlers import WebSocketHandler

__all__ = ["find_urlconf", "resolve"]


def resolve(request: HttpRequest) -> ResolverMatch | None:
    """The entry for this request, ``None`` if there is none. Names of addresses, for ``reverse()``,
    go on to be those of the whole site.
    """
    urlconf = find_urlconf()
    if urlconf is None:
        return None
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


def as_view(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view that is listed: a handler may stand there as it is, without ``as_view()``."""
    if isinstance(view, type) and issubclass(view, WebSocketHandler):
        return make_view(view)  # type: ignore[arg-type]  # a class can be hashed
    return view


@cache
def make_view(handler: type[WebSocketHandler]) -> Callable[..., Any]:
    return handler.as_view()
