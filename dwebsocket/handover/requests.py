"""The request of a handshake that another process has answered: it runs through middleware,
decorators and mixins as it did there, so that session and user are those of now.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Any, Protocol

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, set_script_prefix

from dwebsocket.backends import MADE
from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.sessions.arriving import find_usual_transport_class
from dwebsocket.backends.sockets.departing import Late
from dwebsocket.backends.sockets.holding import NOTHING_KNOWN, Known
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import ends_process, log_failure

from .records import Moved, name_of_class

__all__ = ["Arrival", "load_site", "resume"]

#: In the META of such a request: what its handshake was.
MOVED = "dwebsocket.moved"

#: Statuses of responses that mean: not you.
FORBIDDEN = (301, 302, 303, 307, 308, 401, 403)

CHANGED = "the site has changed"
LOGGED_OUT = "logged out"


class Arrival(Protocol):
    """A connection that has come, or a session.

    Attributes:
        websocket: once it is accepted.
    """

    @property
    def websocket(self) -> Any: ...

    def create_factory(self, request: HttpRequest) -> BaseWebSocketFactory:
        """What makes the WebSocket of the request that stands for the handshake."""
        ...

    def begin(self, late: Late | None, before: Known = NOTHING_KNOWN) -> None:
        """Go on, with what has come in the other process meanwhile.

        Args:
            before: what groups had sent to it there.
        """

    def refuse(self, request: HttpRequest, code: int, reason: str) -> None:
        """It cannot go on here: close it. Never waits."""

    def drop(self) -> None:
        """It is nobody's any more."""


class ResumingHandler(BaseHandler):
    """Middleware, URLconf and view of these requests."""

    def _get_response(self, request: HttpRequest) -> Any:
        """As Django's, for a handler of the same name and the same user."""
        moved: Moved = request.META[MOVED]
        view, _, _ = self.resolve_request(request)
        if not is_handler(view, moved.handler):
            return HttpResponse(status=410)
        if moved.user is not None and find_user_of(request) != moved.user:
            return HttpResponse(status=403)
        return super()._get_response(request)  # type: ignore[misc]


def is_handler(view: Any, name: str) -> bool:
    """Whether a view is the handler of this name."""
    found = getattr(view, "view_class", None)
    if found is None or not getattr(view, "handles_websocket", False):
        return False
    return name_of_class(found) == name and found._is_resumable()


def find_user_of(request: HttpRequest) -> str | None:
    """The key of the user who is logged in now."""
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


@cache
def get_handler() -> ResumingHandler:
    handler = ResumingHandler()
    handler.load_middleware()
    return handler


def load_site() -> None:
    """Load what the first request does: middleware, URLconf and views. Nobody waits for that then.

    Raises:
        Exception: whatever the site raises.
    """
    get_handler()
    try:
        resolve("/")
    except Resolver404:
        pass


def resume(arrival: Arrival, moved: Moved) -> None:
    """Have the connection's handler in this process; what cannot go on is closed, with 1008 if the
    site does not let its user in any more, else with 1012. Never raises, unless the process ends.
    """
    request: HttpRequest | None = None
    response = None
    try:
        request = create_request(arrival, moved)
        response = respond(request)
    except BaseException as error:  # gevent's and eventlet's Timeout are no Exception
        log_failure("A WebSocket that another process has handed over cannot go on")
        # A signal's handler runs in whatever greenlet is running; a thread of ours tells nobody.
        if ends_process(error) and find_usual_transport_class().calls_anew:
            raise
    finally:
        if arrival.websocket is None:
            status = 500 if response is None else response.status_code
            refuse(arrival, HttpRequest() if request is None else request, status)


def refuse(arrival: Arrival, request: HttpRequest, status: int) -> None:
    """Close what the site has answered so, behind what waits for the peer. Never raises."""
    code = CloseCode.POLICY_VIOLATION if status in FORBIDDEN else CloseCode.SERVICE_RESTART
    reason = LOGGED_OUT if status in FORBIDDEN else CHANGED
    try:
        arrival.refuse(request, code, reason)
    except Exception:
        log_failure("A WebSocket that cannot go on cannot be closed")
        arrival.drop()


def create_request(arrival: Arrival, moved: Moved) -> HttpRequest:
    """The handshake's, once more."""
    environ: dict[str, Any] = {**moved.meta, "wsgi.input": BytesIO(), MOVED: moved}
    request = WSGIRequest(environ)
    request.META[MADE] = arrival.create_factory(request)
    return request


def respond(request: HttpRequest) -> Any:
    """Run it as a server's request."""
    handler = get_handler()
    set_script_prefix(request.META.get("SCRIPT_NAME") or "/")
    request_started.send(sender=type(handler), environ=request.META)
    response = handler.get_response(request)
    try:
        del request.META[MOVED], request.META[MADE]
        response.close()
    finally:
        request_finished.send(sender=type(handler))
    return response
