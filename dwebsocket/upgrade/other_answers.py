"""Handshakes that somebody else has answered: a redirect, Django's 404, a view without a decorator,
a login. Their client learns nothing, so the log says it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest
from django.urls import is_valid_path

from dwebsocket.supervisor import log_failure
from dwebsocket.upgrade.attachment import is_upgraded
from dwebsocket.upgrade.lost_upgrade import name_of
from dwebsocket.upgrade.refusals import is_refused, printable

__all__ = ["tell_of_answer"]

logger = logging.getLogger("dwebsocket.handshake")

ANSWERED = (
    "WebSocket handshake answered with %s: %s %s: %s. A browser says of it no more than 'WebSocket "
    "connection to … failed', with code 1006."
)

FAILED = (
    "an error, which the logger django.request has (with DEBUG = False Django mails it and writes "
    "it nowhere, unless LOGGING says otherwise)"
)

MISSING = "; and {view} gets no request.websocket: decorate it with @require_websocket"


def tell_of_answer(request: HttpRequest, response: Any, shown: int | None = None) -> None:
    """Log what has answered a handshake, unless that was a view with its WebSocket, or a refusal
    that is in the log. Never raises.

    Args:
        shown: the status that the client gets in the place of the response's, if its server passes
            no other one on.
    """
    if is_refused(request) or response.status_code == 101:
        return
    if is_upgraded(request) and (shown is None or request.websocket.accepted):  # type: ignore[attr-defined]
        return  # the view's own refusal
    try:
        tell(request, response, shown)
    except Exception:  # whatever a site has made of its requests
        log_failure("Looking for what has answered a handshake failed")


def tell(request: HttpRequest, response: Any, shown: int | None) -> None:
    status = response.status_code
    logger.warning(
        ANSWERED,
        status if shown is None else f"{status}, of which the client gets {shown}",
        printable(request.method or ""),
        printable(request.path),
        explain(request, status, response.headers),
        extra={"status_code": status, "request": request},
    )


def explain(request: HttpRequest, status: int, headers: Mapping[str, str]) -> str:
    """What has answered, as far as that can be told, and what to do."""
    match = request.resolver_match
    view = None if match is None else name_of(match.func)
    if "Location" in headers:
        return explain_redirect(request, headers["Location"])
    undecorated = match is not None and not getattr(match.func, "accept_websocket", False)
    if status >= 500:
        return FAILED + (MISSING.format(view=view) if undecorated else "")
    if view is None:
        return explain_unresolved(request, status)
    if status < 400 and undecorated:
        return f"{view} has taken it for plain HTTP: decorate it with @require_websocket"
    if status == 405:
        return f"{view} takes no GET requests, and a handshake is one"
    if status == 404:
        return f"{view} has found nothing at this address"
    return f"middleware, or a decorator or mixin of {view}, has refused this client, or answered it"


def explain_redirect(request: HttpRequest, location: str) -> str:
    target = urlsplit(location)
    if target.path == request.path + "/":
        do = "the path needs a trailing slash (APPEND_SLASH): open the address with it"
    elif target.path == request.path and target.scheme == "https":
        do = "open the address with wss:// (SECURE_SSL_REDIRECT)"
    elif "next" in parse_qs(target.query):  # as Django's redirect_to_login()
        do = "the client is not logged in, or its cookie has not come"
    else:
        do = "open that address itself"
    return f"redirects to {printable(location)}, which no browser follows: {do}"


def explain_unresolved(request: HttpRequest, status: int) -> str:
    if status == 404:
        urlconf = getattr(request, "urlconf", None)
        if is_valid_path(request.path_info + "/", urlconf):
            return "no URL pattern matches this path without a trailing slash: open it with one"
        return "no URL pattern matches this path"
    if status == 400:
        return "Django refuses the request, whose host may be missing in ALLOWED_HOSTS"
    return "middleware has answered, before any view"
