"""Which pages may open a WebSocket (cross-site WebSocket hijacking, RFC 6455, 10.2).

Browsers send cookies with a handshake from any page, and CSRF protection does not look at GET.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.http import is_same_domain

from dwebsocket.conf import conf
from dwebsocket.protocol.exceptions import InvalidOrigin

__all__ = ["check_origin"]


def check_origin(request: HttpRequest) -> None:
    """Let the site's own pages and ``WEBSOCKET_ALLOWED_ORIGINS`` pass, and clients that send no
    Origin, which are no browsers.

    Raises:
        InvalidOrigin: the page belongs to another site.
    """
    origin = request.META.get("HTTP_ORIGIN")
    if origin is None:
        return
    allowed = conf.ALLOWED_ORIGINS
    own = f"{request.scheme}://{request.get_host()}"
    if "*" in allowed or origin == own or any(matches(origin, other) for other in allowed):
        return
    raise InvalidOrigin(
        f"The Origin {origin!r} is not allowed, this site is {own!r}. Add it to "
        "WEBSOCKET_ALLOWED_ORIGINS or CSRF_TRUSTED_ORIGINS if its pages may connect. Behind a "
        "proxy check USE_X_FORWARDED_HOST and SECURE_PROXY_SSL_HEADER."
    )


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
