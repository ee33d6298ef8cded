"""A handshake that the front has forwarded: a request of Django's, through middleware and URLconf,
and its response, if it becomes no WebSocket.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import get_internal_wsgi_application
from django.http import Http404, HttpRequest
from django.urls import ResolverMatch
from django.utils.module_loading import import_string

from dwebsocket.supervisor import log_failure

from .serving import Serving
from .wire import Kind, pack_json

__all__ = [
    "NAMESPACE",
    "SERVING",
    "GatewayHandler",
    "build_environ",
    "check_handlers",
    "find_handlers",
    "load_application",
    "refuse",
    "respond",
]

#: In the environ: what serves the connection, and the namespace of DEFAULT_WS_HANDLERS.
SERVING = "dwebsocket.gateway"
NAMESPACE = "dwebsocket.gateway.namespace"

EMPTY = io.BytesIO()

EXAMPLE = 'DEFAULT_WS_HANDLERS = {"default": "chat.ws.ChatHandler"}'


def find_handlers() -> dict[str, str]:
    """``DEFAULT_WS_HANDLERS``: for namespaces the dotted path of the handler; empty: the URLconf
    says it.

    Raises:
        ImproperlyConfigured: it is no such dictionary, or has no ``"default"``.
    """
    found = getattr(settings, "DEFAULT_WS_HANDLERS", None)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(
        isinstance(one, str) for pair in found.items() for one in pair
    ):
        raise ImproperlyConfigured(
            f"DEFAULT_WS_HANDLERS is {found!r}, it must be a dictionary of namespaces and dotted "
            f"paths of handlers, such as {EXAMPLE}"
        )
    if "default" not in found:
        raise ImproperlyConfigured(
            f"DEFAULT_WS_HANDLERS has no 'default', the namespace of addresses that name none: "
            f"{EXAMPLE}"
        )
    return found


def check_handlers() -> None:
    """Import what ``DEFAULT_WS_HANDLERS`` names.

    Raises:
        ImproperlyConfigured: one cannot be imported, or is no handler.
    """
    for path in find_handlers().values():
        load_view(path)


@cache
def load_view(path: str) -> Callable[..., Any]:
    """The view of the handler that a dotted path names."""
    try:
        handler = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"DEFAULT_WS_HANDLERS names {path!r}, which cannot be imported: {error}"
        ) from error
    as_view = getattr(handler, "as_view", None)
    if as_view is None:
        raise ImproperlyConfigured(
            f"DEFAULT_WS_HANDLERS names {path!r}, which is no WebSocketHandler: derive it from "
            "dwebsocket.gateway.WebSocketHandler, or from dwebsocket.WebSocketHandler"
        )
    view: Callable[..., Any] = as_view()
    return view


class GatewayHandler(WSGIHandler):
    """Django's handler, which finds the view by its namespace if the front has named one."""

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        namespace = request.META.get(NAMESPACE)
        if namespace is None:
            return super().resolve_request(request)
        path = find_handlers().get(namespace)
        if path is None:
            raise Http404(f"DEFAULT_WS_HANDLERS has no namespace {namespace!r}")
        match = ResolverMatch(load_view(path), (), {"namespace": namespace})
        request.resolver_match = match
        return match


def load_application() -> Callable[..., Any]:
    """What answers requests: the site's WSGI application, as runserver finds it.

    Raises:
        ImproperlyConfigured: it cannot be imported.
    """
    return GatewayHandler() if find_handlers() else get_internal_wsgi_application()


def build_environ(handshake: dict[str, Any]) -> dict[str, Any]:
    """The environ (PEP 3333) of the request that the front has received."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": handshake["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": handshake["path"],
        "QUERY_STRING": handshake["query"],
        "SERVER_PROTOCOL": handshake["version"],
        "SERVER_NAME": handshake["server"][0],
        "SERVER_PORT": str(handshake["server"][1]),
        "REMOTE_ADDR": handshake["client"][0],
        "REMOTE_PORT": str(handshake["client"][1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": handshake["scheme"],
        "wsgi.input": EMPTY,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in handshake["headers"]:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"
        environ[key] = value
    if handshake.get("namespace") is not None:
        environ[NAMESPACE] = handshake["namespace"]
    return environ


def respond(application: Callable[..., Any], serving: Serving) -> None:
    """Run the request, and tell the front what came of it, unless it has been accepted. Never
    raises.
    """
    started: list[Any] = []
    try:
        environ = {**serving.environ, SERVING: serving}
        response: Any = application(environ, lambda *given: started.extend(given))
        try:
            body = b"".join(response) if serving.flow.user is None else b""
        finally:
            getattr(response, "close", bool)()  # WSGI middleware may give something else
        if serving.flow.user is None:
            status, headers = started[0], started[1]
            refuse(serving, int(status.split()[0]), headers, body)
    except Exception:
        log_failure("The request of a WebSocket failed")
        if serving.flow.user is None:
            refuse(serving, 500, [("Content-Type", "text/plain")], b"Server Error (500)")
    finally:
        serving.give_thread_back()


def refuse(serving: Serving, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Have the front answer the handshake with this response."""
    head = pack_json({"status": status, "headers": headers})
    serving.flow.send(Kind.REFUSE, len(head).to_bytes(4, "big") + head + body)
