"""Django's protection against forged requests, for the POST requests of polls: their Origin is
checked, as that of a handshake is, and what they name is secret. They carry no token.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from dwebsocket.backends.query import is_engine
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.upgrade.origin import check_fetch, check_origin

__all__ = ["check_source", "is_own_post"]


def check_source(request: HttpRequest) -> None:
    """Let requests pass that a page which may connect has made, or no page at all.

    Raises:
        InvalidOrigin: another site's page has made it.
    """
    check_fetch(request)
    check_origin(request)


def is_own_post(request: HttpRequest, view: Callable[..., Any]) -> bool:
    """Whether it is one of Engine.IO, from a page that may connect, to a view that answers all of
    these itself.
    """
    if not (is_engine(request) and getattr(view, "handles_websocket", False)):
        return False
    try:
        check_source(request)
    except InvalidHandshake:
        return False
    return True


def let_polls_pass(middleware: Any) -> None:
    """See to it that the middleware asks no token of them."""
    reject = middleware._reject  # its other methods are bound before this module may be imported

    @wraps(reject)
    def _reject(self: Any, request: HttpRequest, reason: str) -> Any:
        match = request.resolver_match
        if match is not None and is_own_post(request, match.func):
            return self._accept(request)
        return reject(self, request, reason)

    middleware._reject = _reject


let_polls_pass(CsrfViewMiddleware)
