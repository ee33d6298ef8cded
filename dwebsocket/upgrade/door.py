"""Where a request begins: a handshake whose view may wait for long runs, from there on, in what the
server's backend says, and not in the server's own thread. Here it is also seen who else answers.

Django's handler has no place for that in front of its middleware. But it sends ``request_started``,
and then calls ``self.get_response``: with the first handshake that a handler gets we put a door
into that attribute of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.http import HttpRequest
from django.urls import set_script_prefix

from dwebsocket.backends import MADE, forget_factory, get_factory, keep_usable_factory
from dwebsocket.backends.beside import BESIDE, Beside, Starter
from dwebsocket.backends.frames import frames_below
from dwebsocket.backends.room import NoRoom
from dwebsocket.conf import conf
from dwebsocket.upgrade.attachment import attach
from dwebsocket.upgrade.flat_middleware import flatten
from dwebsocket.upgrade.known_match import find_match, reuse_matches
from dwebsocket.upgrade.other_answers import tell_of_answer

__all__ = ["NEEDS_NO_THREAD", "may_accept", "run_again"]

#: Set on views that leave their request as soon as they have accepted.
NEEDS_NO_THREAD = "leaves_request"


class Door:
    """Stands in the place of a handler's ``get_response``."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        if not may_ask(request.META) and MADE not in request.META:
            return self._get_response(request)
        try:
            keep_usable_factory(request)
            if not attach(request):
                return self._get_response(request)
            response = self._respond(request)
        finally:
            forget_factory(request)
        if "HTTP_UPGRADE" in request.META:
            tell_of_answer(request, response)
        return response

    def _respond(self, request: HttpRequest) -> Any:
        if BESIDE not in request.META:
            starter = find_starter(request)
            if starter is not None and needs_thread(request):
                try:
                    return run_beside(request, starter, self._get_response)
                except NoRoom:  # a view says so; others do not need it
                    pass
        return self._get_response(request)


def may_ask(environ: Mapping[str, Any]) -> bool:
    """Whether it may be a handshake: all others are to cost nothing."""
    return "HTTP_UPGRADE" in environ or "EIO=" in environ.get("QUERY_STRING", "")


def meet(environ: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
    """A request begins. If it is a handshake see to it that its handler has a door."""
    if environ is None or not may_ask(environ):
        return
    for handler in running_handlers():
        if not isinstance(handler.get_response, Door):
            flatten(handler)
            reuse_matches(handler)
            handler.get_response = Door(handler.get_response)  # type: ignore[method-assign]
        return


request_started.connect(meet, dispatch_uid="dwebsocket.door")


def running_handlers() -> Iterator[WSGIHandler]:
    """The handlers around this call, the innermost first."""
    for frame in frames_below(sys._getframe(1)):
        candidate = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if issubclass(type(candidate), WSGIHandler):
            yield cast(WSGIHandler, candidate)


def find_starter(request: HttpRequest) -> Starter | None:
    """What the request runs in beside its server, if its server needs that."""
    try:
        return get_factory(request).find_starter()
    except Exception:  # told when it comes to the handshake, inside of all middleware
        return None


def needs_thread(request: HttpRequest) -> bool:
    """Whether the address is not known to be that of a handler, or of an ``async`` view, nor, for
    a poll, of what takes no WebSockets.
    """
    try:
        view = find_match(request).func
    except Exception:  # middleware may choose another URLconf; what is wrong with it is told later
        return True
    if "HTTP_UPGRADE" not in request.META and not may_accept(view):
        return False
    return not (getattr(view, NEEDS_NO_THREAD, False) or iscoroutinefunction(view))


def may_accept(view: Any) -> bool:
    """Whether a view may be one that accepts WebSockets, by what marks it."""
    method = getattr(getattr(view, "view_class", None), "get", None)
    return conf.ACCEPT_ALL or any(
        getattr(one, mark, False)
        for one in (view, method)
        for mark in ("accept_websocket", "require_websocket")
    )


def run_beside(
    request: HttpRequest, starter: Starter, get_response: Callable[[HttpRequest], Any]
) -> Any:
    """Run a request beside its server; what the server gets.

    Raises:
        NoRoom: it cannot run there; the view of this request is going to be refused.
    """
    beside = request.META[BESIDE] = Beside()
    prefix = request.META.get("SCRIPT_NAME")

    def run() -> Any:
        if prefix:  # threads and greenlets begin without
            set_script_prefix(prefix)
        return get_response(request)

    return beside.respond(starter, run)


def run_again(request: HttpRequest) -> Any:
    """Run the request of a view a second time, from its beginning, beside its server: nobody has
    stood at the door, since this process had not imported us when the request came.

    Returns:
        The response; ``None`` if the view is to go on here.
    """
    starter = None if BESIDE in request.META else find_starter(request)
    handler = next(running_handlers(), None) if starter is not None else None
    if starter is None or handler is None:
        return None
    again = handler.request_class(dict(request.environ))  # type: ignore[attr-defined]
    try:
        return run_beside(again, starter, handler.get_response)
    except NoRoom:
        request.META[BESIDE] = again.META[BESIDE]
        return None
