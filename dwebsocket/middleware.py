"""``WebSocketMiddleware``: views that are marked, or all views, accept WebSockets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from dwebsocket.conf import conf
from dwebsocket.handlers import BaseWebSocketHandler
from dwebsocket.upgrade.attachment import attach, is_upgraded
from dwebsocket.upgrade.caches import vary_on_upgrade
from dwebsocket.upgrade.handshake import HandshakeOptions
from dwebsocket.upgrade.lost_upgrade import refuse_plain, tell_if_lost
from dwebsocket.upgrade.order import acall_view, call_view
from dwebsocket.upgrade.refusals import end_connection_behind, refuse

__all__ = ["WebSocketMiddleware", "accepts", "find_skipped_middleware", "has_middleware"]

#: Middleware whose ``process_view`` does nothing for a GET request.
HARMLESS = {"django.middleware.csrf.CsrfViewMiddleware"}


class WebSocketMiddleware(MiddlewareMixin):
    """Gives every request ``is_websocket()`` and ``websocket``, refuses WebSockets for views that
    do not accept them, and runs views that accept them without being decorated: those marked
    ``view.accept_websocket = True``, and all with ``WEBSOCKET_ACCEPT_ALL``.
    """

    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):  # Django awaits what is a coroutine function
            self.process_view = self.aprocess_view  # type: ignore[method-assign]

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        # Without the threads of MiddlewareMixin's: nothing here waits.
        self.process_request(request)
        response: Any = await self.get_response(request)  # type: ignore[misc]
        return self.process_response(request, response)

    def process_request(self, request: HttpRequest) -> None:
        attach(request)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """See to it that no request is read behind the answer to a handshake, and that no cache
        mixes that up with a page, whoever gave it.
        """
        if response.status_code != 101:
            end_connection_behind(request, response)
        match = request.resolver_match
        if match is not None and not attach(request):
            with suppress(ImproperlyConfigured):  # told by handshakes: pages do without the setting
                if accepts(match.func):
                    vary_on_upgrade(response)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run or refuse what no decorator will take care of."""
        options, refusal = find_options(request, view)
        if options is None:
            return refusal
        run = async_to_sync(acall_view) if iscoroutinefunction(view) else call_view
        return run(request, view, args, kwargs, options)

    async def aprocess_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """``process_view`` in an event loop."""
        options, refusal = find_options(request, view)
        if options is None:
            return refusal
        run = acall_view if iscoroutinefunction(view) else sync_to_async(call_view)
        return await run(request, view, args, kwargs, options)


def find_options(
    request: HttpRequest, view: Callable[..., Any]
) -> tuple[HandshakeOptions | None, HttpResponseBase | None]:
    """With what options we are to run the view; without any, the refusal if there is one."""
    if find_mark(view, "handles_websocket") or is_upgraded(request):
        return None, None
    required = bool(find_mark(view, "require_websocket"))
    if not attach(request):
        if required:
            return None, refuse_plain(request)
        tell_if_lost(request, view)
        return None, None
    if not accepts(view):
        # A handler without as_view() says so when it is called.
        is_handler = isinstance(view, type) and issubclass(view, BaseWebSocketHandler)
        return None, None if is_handler else refuse(request)
    check_nothing_is_skipped()
    return HandshakeOptions(required), None


def accepts(view: Callable[..., Any]) -> bool:
    """Whether a view accepts WebSockets here."""
    marks = ("accept_websocket", "require_websocket")
    return conf.ACCEPT_ALL or any(find_mark(view, name) for name in marks)


def find_mark(view: Callable[..., Any], name: str) -> Any:
    """A mark of the view, or of the ``get`` method of a class-based one."""
    view_class = getattr(view, "view_class", None)
    return getattr(view, name, False) or getattr(getattr(view_class, "get", None), name, False)


def is_ours(middleware: Any) -> bool:
    return isinstance(middleware, type) and issubclass(middleware, WebSocketMiddleware)


def has_middleware() -> bool:
    """Whether MIDDLEWARE lists ours, or a class derived from it."""
    return any(is_ours(import_string(path)) for path in settings.MIDDLEWARE)


def find_skipped_middleware() -> list[str]:
    """Middleware listed after ours whose ``process_view`` would not run for an undecorated view."""
    skipped: list[str] = []
    ours_seen = False
    for path in settings.MIDDLEWARE:
        middleware = import_string(path)
        if is_ours(middleware):
            ours_seen = True
        elif ours_seen and path not in HARMLESS and hasattr(middleware, "process_view"):
            skipped.append(path)
    return skipped


def check_nothing_is_skipped() -> None:
    """Raise ImproperlyConfigured where a guard, LoginRequiredMiddleware say, would be passed by."""
    skipped = find_skipped_middleware()
    if skipped:
        raise ImproperlyConfigured(
            f"{', '.join(skipped)} comes after WebSocketMiddleware in MIDDLEWARE and would not see "
            "this view, which accepts WebSockets without a decorator. Move "
            "'dwebsocket.middleware.WebSocketMiddleware' to the end of MIDDLEWARE."
        )
