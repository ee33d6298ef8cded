"""Where WebSockets are looked for under ASGI: in ``ROOT_WS_URLCONF``, then in ``ROOT_URLCONF``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import ResolverMatch, is_valid_path, set_urlconf

from dwebsocket.conf import conf
from dwebsocket.handlers import WebSocketHandler

__all__ = ["choose_urlconf", "find_urlconf", "use_view"]


def choose_urlconf(request: HttpRequest) -> None:
    """Have this request resolved in the URLconf of WebSockets, if it has an entry there."""
    urlconf = find_urlconf()
    if urlconf is not None and is_valid_path(request.path_info, urlconf):
        request.urlconf = urlconf


def find_urlconf() -> str | None:
    """The URLconf of WebSockets, if there is one."""
    root = getattr(settings, "ROOT_URLCONF", None)
    return conf.ROOT_WS_URLCONF or (find_default(root) if isinstance(root, str) else None)


@cache
def find_default(root: str) -> str | None:
    """``ws_urls`` beside the root URLconf."""
    package, _, _ = root.rpartition(".")
    name = f"{package}.ws_urls" if package else "ws_urls"
    return name if find_spec(name) is not None else None


def use_view(match: ResolverMatch) -> ResolverMatch:
    """A handler may be listed as it is, without ``as_view()``."""
    view = match.func
    if isinstance(view, type) and issubclass(view, WebSocketHandler):
        match.func = make_view(view)  # type: ignore[arg-type]  # a class can be hashed
    set_urlconf(None)  # what reverse() finds: the names of the whole site
    return match


@cache
def make_view(handler: type[WebSocketHandler]) -> Callable[..., Any]:
    return handler.as_view()
