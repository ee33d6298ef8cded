"""The view of a handshake, looked up once: the door wants to know it before Django does.

Django looks behind its middleware, which may have changed what it looks for, or what that depends
on: then it looks again.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver
from django.urls.converters import DEFAULT_CONVERTERS
from django.urls.resolvers import RegexPattern, RoutePattern

__all__ = ["find_match", "reuse_matches"]

#: An attribute of a request: what has been found, until Django asks.
KEPT = "_websocket_match"

USUAL = frozenset(type(converter) for converter in DEFAULT_CONVERTERS.values())

#: As Django has it: another package's goes first.
RESOLVE = BaseHandler.resolve_request


class Known(NamedTuple):
    """What a path has been found to be."""

    resolver: URLResolver
    path: str
    match: ResolverMatch


def find_match(request: HttpRequest) -> ResolverMatch:
    """The view of a request's address, with what it is called with.

    Raises:
        Resolver404: there is none.
    """
    resolver, path = get_resolver(), request.path_info
    match = resolver.resolve(path)
    if looks_at_path_alone(resolver):
        vars(request)[KEPT] = Known(resolver, path, match)
    return match


class Matches:
    """Stands in the place of a handler's ``resolve_request``."""

    def __init__(self, handler: WSGIHandler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> Any:
        known: Known | None = vars(request).pop(KEPT, None)
        resolve = type(self._handler).resolve_request
        if (
            known is None
            or known.path != request.path_info
            or hasattr(request, "urlconf")
            or known.resolver is not get_resolver()
            or resolve is not RESOLVE
        ):
            return resolve(self._handler, request)
        request.resolver_match = known.match
        return known.match


def reuse_matches(handler: WSGIHandler) -> None:
    """Have the handler take what ``find_match`` has found, where that still holds."""
    if "resolve_request" not in vars(handler):
        handler.resolve_request = Matches(handler)  # type: ignore[method-assign]


#: Those that have been looked at.
looked_at: WeakKeyDictionary[URLResolver, bool] = WeakKeyDictionary()


def looks_at_path_alone(resolver: URLResolver) -> bool:
    """Whether what it finds depends on nothing but the path: not on the language, and not on what a
    converter of the project's own asks, the database for instance.
    """
    found = looked_at.get(resolver)
    if found is None:
        try:
            found = looked_at[resolver] = is_constant(resolver)
        except Exception:  # Django tells what is wrong with it
            return False
    return found


def is_constant(entry: Any) -> bool:
    pattern: Any = entry.pattern
    kind = type(pattern)
    if kind is RoutePattern:
        known = all(type(converter) in USUAL for converter in pattern.converters.values())
        constant = known and type(pattern._route) is str  # not translated
    else:
        constant = kind is RegexPattern and type(pattern._regex) is str
    if type(entry) is URLResolver:
        return constant and all(is_constant(inner) for inner in entry.url_patterns)
    return constant and type(entry) is URLPattern
