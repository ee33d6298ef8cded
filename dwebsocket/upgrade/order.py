"""The life of one WebSocket request: the only place that knows the order.

attach → check the handshake → accept → view → close → response. A mark on the request makes
whoever comes second (a decorator below the middleware, a decorator twice) a no-op, so that there is
exactly one 101.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends import check_factory_class, get_factory
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.groups.current import get_backend
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.handshake import select_subprotocol
from dwebsocket.running.call_contexts import CallContexts, find_contexts, load_contexts
from dwebsocket.running.coroutines import surround_calls
from dwebsocket.running.known_middleware import check_known_middleware
from dwebsocket.upgrade.answering import with_answer
from dwebsocket.upgrade.async_handler import (
    AsyncHandler,
    check_middleware,
    converse,
    load_middleware,
)
from dwebsocket.upgrade.attachment import MARK, attach, is_upgraded
from dwebsocket.upgrade.caches import vary_on_upgrade
from dwebsocket.upgrade.door import run_again
from dwebsocket.upgrade.handler import Conversation, Handler
from dwebsocket.upgrade.lost_changes import LastResponse, tell_of_unsaved
from dwebsocket.upgrade.lost_upgrade import refuse_plain, tell_if_lost
from dwebsocket.upgrade.origin import check_origin
from dwebsocket.upgrade.refusals import end_connection_behind, printable, refuse_for
from dwebsocket.upgrade.view import Session, SwitchedResponse, aend, end, ending_on_error
from dwebsocket.websocket import BaseWebSocket

__all__ = ["Terms", "acall_view", "call_async_handler", "call_handler", "call_view"]

logger = logging.getLogger("dwebsocket.handshake")


@dataclass(frozen=True)
class Terms:
    """What a view asks for.

    Attributes:
        required: whether plain HTTP is refused.
        subprotocols: those it speaks, the preferred first.
        auto_accept: whether the 101 is sent before the view runs.
    """

    required: bool = False
    subprotocols: Sequence[str] = ()
    auto_accept: bool = True


def call_view(
    request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any, terms: Terms
) -> Any:
    """Run a view whose request may ask for a WebSocket; its response."""
    if attach(request) and not is_upgraded(request):
        response = run_again(request)
        if response is not None:
            return response
    session, refusal = open_session(request, view, args, kwargs, terms)
    if refusal is not None:
        return refusal
    if session is None:
        return answer_plain(request, view(request, *args, **kwargs))
    return session.run()


def call_handler(request: HttpRequest, handler: Handler, terms: Terms) -> HttpResponse:
    """Accept the handshake on behalf of a handler; the response of a request that ends with it."""
    if is_upgraded(request):  # a decorator around dispatch() has accepted
        contexts = look_for_contexts(request)
        Conversation(handler, request.websocket, contexts).hold(request)  # type: ignore[attr-defined]
        return HttpResponse()
    if not attach(request):
        return refuse_plain(request)
    contexts = look_for_contexts(request)
    try:
        websocket = accept_handshake(request, terms)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    conversation = Conversation(handler, websocket, contexts)
    with ending_on_error(websocket):
        start = websocket.drive(conversation)
    if start is None:
        return cast(HttpResponse, Session(websocket, request, conversation.hold, (), {}).run())
    try:
        conversation.open()
    except BaseException:  # the server ends
        websocket.close_connection(CloseCode.GOING_AWAY, "", timeout=0)
        raise
    finally:
        conversation.leave_request()
        start()
    return LastResponse(request, goes_on=True)


def call_async_handler(request: HttpRequest, handler: AsyncHandler, terms: Terms) -> HttpResponse:
    """``call_handler`` for a handler with ``async def`` methods. Called in a thread, too."""
    if is_upgraded(request):
        handler._contexts = look_for_contexts(request, in_coroutine=True)
        handler.websocket = request.websocket  # type: ignore[attr-defined]
        hold_coroutine(handler)
        return HttpResponse()
    if not attach(request):
        return refuse_plain(request)
    load_middleware()  # what is wrong with it is told with a 500
    handler._contexts = look_for_contexts(request, in_coroutine=True)
    try:
        handler.websocket = websocket = accept_handshake(request, terms, in_coroutine=True)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    if leave_for_loop(handler):
        return LastResponse(request, goes_on=True)
    hold_coroutine(handler)
    return SwitchedResponse(request, websocket)


def leave_for_loop(handler: AsyncHandler) -> bool:
    """Have the handler's time beside the request, which then ends; whether that is so."""
    contexts, left = handler._contexts, False
    if contexts is not None:
        contexts.begin()
    try:
        with ending_on_error(handler.websocket):
            left = handler.websocket.leave_for_loop(partial(run_left, handler, contexts))
    finally:
        if contexts is not None and not left:
            contexts.end()
    return left


def hold_coroutine(handler: AsyncHandler) -> None:
    """Have the handler's time in the request, in whose thread its plain calls are made."""
    run, contexts = partial(run_handler, handler), handler._contexts
    if contexts is None:
        handler.websocket.run_coroutine(run)
    else:
        contexts.run(handler.websocket.run_coroutine, run)


async def run_left(handler: AsyncHandler, contexts: CallContexts | None) -> None:
    """The handler's time beside the request."""
    if contexts is not None:
        surround_calls(contexts.surround)
    try:
        await run_handler(handler)
    finally:
        tell_of_unsaved(getattr(handler, "request", None))
        if contexts is not None:
            contexts.end()


async def run_handler(handler: AsyncHandler) -> None:
    """An ``async`` handler's time with its WebSocket. Nobody here keeps its request."""
    websocket = handler.websocket
    try:
        error = await converse(handler)
    except BaseException as cancelled:  # nothing is waited for
        end(websocket, cancelled)
        raise
    await aend(websocket, error)


def accept_handshake(
    request: HttpRequest, terms: Terms, *, in_coroutine: bool = False
) -> BaseWebSocket:
    """Check the handshake of a request that asks for a WebSocket, and accept it.

    Raises:
        InvalidHandshake: it is not a good one.
        SocketTakeoverError: the server cannot carry it.
    """
    websocket, subprotocol = create_websocket(request, terms)
    assert websocket is not None  # the request asks for one
    if in_coroutine:
        websocket.check_coroutines(True)
    else:
        websocket.expect_drive()
    accept(websocket, request, subprotocol)
    request.META[MARK] = request.websocket = websocket  # type: ignore[attr-defined]
    return websocket


async def acall_view(
    request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any, terms: Terms
) -> Any:
    """``call_view`` for an ``async def`` view."""
    session, refusal = open_session(request, view, args, kwargs, terms, in_coroutine=True)
    if refusal is not None:
        return refusal
    if session is None:
        return answer_plain(request, await view(request, *args, **kwargs))
    return session.answer() if await session.aleave_server() else await session.arun()


def answer_plain(request: HttpRequest, response: Any) -> Any:
    """What a view has answered that was not accepted here: nobody was, or somebody further out."""
    return response if is_upgraded(request) else vary_on_upgrade(response)


def open_session(
    request: HttpRequest,
    view: Callable[..., Any],
    args: Any,
    kwargs: Any,
    terms: Terms,
    *,
    in_coroutine: bool = False,
) -> tuple[Session | None, HttpResponse | None]:
    """Check the handshake and accept it: a session, or a refusal, or neither for plain HTTP."""
    asked = attach(request)
    if is_upgraded(request):
        return None, None
    if not asked:
        if terms.required:
            return None, refuse_plain(request)
        tell_if_lost(request, view)
        return None, None
    try:
        websocket, subprotocol = create_websocket(request, terms)
        if websocket is None:
            return None, None
        contexts = look_for_contexts(request, in_coroutine=True) if in_coroutine else None
        session = Session(websocket, request, with_answer(view), args, kwargs, contexts)
        check = websocket.check_coroutines if in_coroutine else websocket.check_view_room
        check(terms.auto_accept)
        if terms.auto_accept:
            accept(websocket, request, subprotocol)
        request.META[MARK] = request.websocket = websocket  # type: ignore[attr-defined]
    except (InvalidHandshake, SocketTakeoverError) as error:
        return None, refuse_for(request, error)
    except Exception:  # a wrong setting, a host that is not allowed
        end_connection_behind(request)
        raise
    return session, None


def create_websocket(request: HttpRequest, terms: Terms) -> tuple[BaseWebSocket | None, str | None]:
    """The request's WebSocket and its subprotocol; nothing is taken or written yet."""
    if not conf.checked:
        check_settings()
    factory = get_factory(request)
    factory.check_handshake()
    check_origin(request)
    subprotocol = select_subprotocol(
        request.META.get("HTTP_SEC_WEBSOCKET_PROTOCOL"), terms.subprotocols
    )
    return factory.create_websocket(), subprotocol


def look_for_contexts(request: HttpRequest, *, in_coroutine: bool = False) -> CallContexts | None:
    """What is to be around the calls that come when this request has ended.

    Raises:
        ImproperlyConfigured: without a context these would do harm, or one is of no use.
    """
    check_known_middleware()
    return find_contexts(request, in_coroutine=in_coroutine)


def accept(websocket: BaseWebSocket, request: HttpRequest, subprotocol: str | None) -> None:
    """Send the 101."""
    with ending_on_error(websocket):
        websocket.accept(subprotocol)
        offered = request.META.get("HTTP_SEC_WEBSOCKET_PROTOCOL")
        if offered and subprotocol is None:
            logger.warning(
                "WebSocket accepted without a subprotocol: %s: the client offers %s, and the view "
                "names none of them in its subprotocols. Browsers fail such a connection.",
                printable(request.path),
                printable(offered),
            )


def check_settings() -> None:
    """Look at every setting before the first handshake is accepted: behind it threads that others
    need would meet a wrong one, and most servers run no system checks.

    Raises:
        ImproperlyConfigured: one is wrong.
    """
    conf.check_values()
    check_factory_class()
    check_middleware()
    load_contexts()
    get_backend()
    conf.checked = True
