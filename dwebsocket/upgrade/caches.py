"""Caches: a page is no answer to a handshake, and an answer to a handshake is no page.

Both have one address. Caches are told by ``Vary: Upgrade`` on the page (RFC 9110, 12.5.5) and by
``Cache-Control: no-store`` on the answer. Django's own is asked by decorators below ours, too, and
those have stored a page before we see it: it is not asked for handshakes at all.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.cache import FetchFromCacheMiddleware
from django.utils.cache import patch_cache_control, patch_vary_headers

from dwebsocket.upgrade.attachment import attach

__all__ = ["forbid_storing", "vary_on_upgrade"]


def vary_on_upgrade(response: Any) -> Any:
    """The page of an address that accepts WebSockets, which tells caches that it does."""
    if isinstance(response, HttpResponseBase):
        patch_vary_headers(response, ("Upgrade",))
    return response


def forbid_storing(response: Any) -> None:
    """Tell caches that this answer is for one client alone."""
    if isinstance(response, HttpResponseBase):
        patch_cache_control(response, no_store=True)


def keep_handshakes_out(middleware: Any) -> None:
    """See to it that Django's cache neither answers handshakes nor stores what answers them, be it
    asked by its middleware or by ``cache_page``, which derives from that.
    """
    fetch = middleware.process_request

    @wraps(fetch)
    def process_request(self: Any, request: HttpRequest) -> HttpResponseBase | None:
        if not attach(request):
            response: HttpResponseBase | None = fetch(self, request)
            return response
        request._cache_update_cache = False  # type: ignore[attr-defined]
        return None

    middleware.process_request = process_request


keep_handshakes_out(FetchFromCacheMiddleware)
