"""Which pages may open a WebSocket (cross-site WebSocket hijacking, RFC 6455, 10.2).

Browsers send cookies with a handshake from any page, and CSRF protection does not look at GET.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.http import is_same_domain

from dwebsocket.conf import conf
from dwebsocket.protocol.exceptions import InvalidOrigin

__all__ = ["check_fetch", "check_origin"]


def check_origin(request: HttpRequest) -> None:
    """Let the site's own pages and ``WEBSOCKET_ALLOWED_ORIGINS`` pass, and clients that send no
    Origin, which are no browsers.

    Raises:
        InvalidOrigin: the page belongs to another site.
    """
    given = request.META.get("HTTP_ORIGIN")
    if given is None:
        return
    origin = as_http(given)
    allowed = conf.ALLOWED_ORIGINS
    own = f"{request.scheme}://{request.get_host()}"
    if "*" in allowed or origin == own or any(matches(origin, as_http(other)) for other in allowed):
        return
    raise InvalidOrigin(
        f"The Origin {given!r} is not allowed, this site is {own!r}. Add it to "
        "WEBSOCKET_ALLOWED_ORIGINS or CSRF_TRUSTED_ORIGINS if its pages may connect. Behind a "
        "proxy check USE_X_FORWARDED_HOST and SECURE_PROXY_SSL_HEADER."
    )


def check_fetch(request: HttpRequest) -> None:
    """Let requests without an Origin pass that a browser makes for the site's own page: it sends
    none with a GET there (Fetch Metadata). Other clients say nothing of the kind.

    Raises:
        InvalidOrigin: another site's page has made it.
    """
    meta = request.META
    site = meta.get("HTTP_SEC_FETCH_SITE", "same-origin")
    if "HTTP_ORIGIN" in meta or site in ("same-origin", "none") or "*" in conf.ALLOWED_ORIGINS:
        return
    raise InvalidOrigin(f"The request is one of another site's page ({site[:20]!r}).")


def as_http(origin: str) -> str:
    """Some clients that are no browsers, and some settings, have the scheme of the WebSocket there:
    ``ws://`` is the same as ``http://``, ``wss://`` as ``https://``.
    """
    return f"http{origin[2:]}" if origin.startswith(("ws://", "wss://")) else origin


def matches(origin: str, allowed: str) -> bool:
    """Whether an origin is one of ``allowed``: exact, or with ``*.`` for all subdomains."""
    if "*" not in allowed:
        return origin == allowed.rstrip("/")
    try:
        given = urlsplit(origin)
    except ValueError:
        return False
    wanted = urlsplit(allowed)
    return given.scheme == wanted.scheme and is_same_domain(given.netloc, wanted.netloc.lstrip("*"))
