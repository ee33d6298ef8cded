"""The life of one WebSocket request: the only place that knows the order.

attach → check the handshake → accept → view → close → response. A mark on the request makes
whoever comes second (a decorator below the middleware, a decorator twice) a no-op, so that there is
exactly one 101.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest, HttpResponse

from dwebsocket.backends.query import is_engine
from dwebsocket.backends.runner import Use
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running.call_contexts import CallContexts
from dwebsocket.running.coroutines import surround_calls
from dwebsocket.running.event_loop import wait_for
from dwebsocket.upgrade.answering import with_answer
from dwebsocket.upgrade.async_handler import (
    AsyncHandler,
    AsyncOrigin,
    converse,
    load_middleware,
)
from dwebsocket.upgrade.attachment import attach, is_upgraded
from dwebsocket.upgrade.caches import vary_on_upgrade
from dwebsocket.upgrade.carriers import answer_carrier
from dwebsocket.upgrade.door import run_again
from dwebsocket.upgrade.handler import Handler, HandlerCalls
from dwebsocket.upgrade.handshake import HandshakeOptions, look_for_contexts, open_websocket
from dwebsocket.upgrade.lost_changes import LastResponse, tell_of_unsaved
from dwebsocket.upgrade.lost_upgrade import refuse_plain, tell_if_lost
from dwebsocket.upgrade.refusals import end_connection_behind, refuse_for
from dwebsocket.upgrade.view import SwitchedResponse, ViewRun, aend, end, ending_on_error
from dwebsocket.websocket import BaseWebSocket

__all__ = [
    "InThread",
    "acall_view",
    "call_async_handler",
    "call_handler",
    "call_view",
    "find_call_in_thread",
]


def call_view(
    request: HttpRequest,
    view: Callable[..., Any],
    args: Any,
    kwargs: Any,
    options: HandshakeOptions,
) -> Any:
    """Run a view whose request may ask for a WebSocket; its response."""
    if attach(request) and not is_upgraded(request):
        response = answer_carrier(request, fallback=options.fallback) or run_again(request)
        if response is not None:
            return response
    session, refusal = open_session(request, view, args, kwargs, options)
    if refusal is not None:
        return refusal
    if session is None:
        return answer_plain(request, view(request, *args, **kwargs))
    return session.run()


def call_handler(request: HttpRequest, handler: Handler, options: HandshakeOptions) -> HttpResponse:
    """Accept the handshake on behalf of a handler; the response of a request that ends with it."""
    # What on_open activates is for its connection: other requests come to this thread.
    run = copy_context().run
    if is_upgraded(request):  # a decorator around dispatch() has accepted
        contexts = look_for_contexts(request)
        run(HandlerCalls(handler, request.websocket, contexts).hold, request)  # type: ignore[attr-defined]
        return HttpResponse()
    if not attach(request):
        return refuse_plain(request)
    answer = answer_carrier(request, fallback=options.fallback)
    if answer is not None:
        return answer
    contexts = look_for_contexts(request)
    try:
        websocket = open_websocket(request, options, Use.HANDLER)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    assert websocket is not None  # the request asks for one
    runner = websocket._runner
    assert runner is not None
    with ending_on_error(websocket):
        calls = HandlerCalls(handler, websocket, contexts)
        start = runner.drive(calls)
    if start is None:
        view = ViewRun(websocket, request, lambda _: run(calls.hold, request), (), {})
        return cast(HttpResponse, view.run())
    try:
        run(calls.open)
    except BaseException:  # the server ends
        websocket.close_connection(CloseCode.GOING_AWAY, "", timeout=0)
        raise
    finally:
        run(calls.leave_request)
        start()
        calls.begin()
    return websocket._take_response() or LastResponse(request, goes_on=True)


def call_async_handler(
    request: HttpRequest, handler: AsyncHandler, options: HandshakeOptions
) -> HttpResponse:
    """``call_handler`` for a handler with ``async def`` methods. Called in a thread, too."""
    if is_upgraded(request):
        handler._contexts = look_for_contexts(request, in_coroutine=True)
        handler.websocket = request.websocket  # type: ignore[attr-defined]
        handler.websocket._origin = AsyncOrigin(handler)
        hold_coroutine(handler)
        return HttpResponse()
    if not attach(request):
        return refuse_plain(request)
    answer = answer_carrier(request, fallback=options.fallback)
    if answer is not None:
        return answer
    load_middleware()  # what is wrong with it is told with a 500
    handler._contexts = look_for_contexts(request, in_coroutine=True)
    try:
        websocket = open_websocket(request, options, Use.COROUTINE)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    assert websocket is not None  # the request asks for one
    handler.websocket = websocket
    websocket._origin = AsyncOrigin(handler)
    if start_coroutine(handler):
        return websocket._take_response() or LastResponse(request, goes_on=True)
    hold_coroutine(handler)
    return SwitchedResponse(request, websocket)


def start_coroutine(handler: AsyncHandler) -> bool:
    """Have the handler's time beside the request, which then ends; whether that is so."""
    websocket: BaseWebSocket = handler.websocket
    contexts, runner, started = handler._contexts, websocket._runner, False
    assert runner is not None
    if contexts is not None:
        contexts.begin()
    try:
        with ending_on_error(websocket):
            started = runner.start_coroutine(partial(run_beside, handler, contexts))
    finally:
        if contexts is not None and not started:
            contexts.end()
    return started


def hold_coroutine(handler: AsyncHandler) -> None:
    """Have the handler's time in the request, in whose thread its plain calls are made."""
    run, contexts = partial(run_handler, handler), handler._contexts
    loop = handler.websocket._loop
    if contexts is None:
        wait_for(run, loop)
    else:
        contexts.run(wait_for, run, loop)


async def run_beside(handler: AsyncHandler, contexts: CallContexts | None) -> None:
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
    websocket: BaseWebSocket = handler.websocket
    try:
        error = await converse(handler)
    except BaseException as cancelled:  # nothing is waited for
        end(websocket, cancelled)
        raise
    await aend(websocket, error)


async def acall_view(
    request: HttpRequest,
    view: Callable[..., Any],
    args: Any,
    kwargs: Any,
    options: HandshakeOptions,
) -> Any:
    """``call_view`` for an ``async def`` view."""
    if is_engine(request) and not is_upgraded(request):  # who asks may be in the database
        answer = await sync_to_async(answer_carrier)(request, fallback=options.fallback)
        if answer is not None:
            return answer
    session, refusal = open_session(request, view, args, kwargs, options, in_coroutine=True)
    if refusal is not None:
        return refusal
    if session is None:
        return answer_plain(request, await view(request, *args, **kwargs))
    return session.answer() if await session.astart_beside() else await session.arun()


def call_async_view(
    request: HttpRequest,
    view: Callable[..., Any],
    args: Any,
    kwargs: Any,
    options: HandshakeOptions,
) -> Any:
    """``acall_view`` in the thread of the request, which needs no loop for a view that is accepted
    at once: that is going to run beside it.
    """
    if is_engine(request) and not is_upgraded(request):
        answer = answer_carrier(request, fallback=options.fallback)
        if answer is not None:
            return answer
    session, refusal = open_session(request, view, args, kwargs, options, in_coroutine=True)
    if refusal is not None:
        return refusal
    if session is None:
        return answer_plain(request, async_to_sync(view)(request, *args, **kwargs))
    return session.answer() if session.start_beside() else async_to_sync(session.arun)()


class InThread:
    """How a decorated ``async`` view is called in the thread of a request."""

    def __init__(
        self, decorated: Callable[..., Any], view: Callable[..., Any], options: HandshakeOptions
    ) -> None:
        self._decorated = decorated
        self._view = view
        self._options = options

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return call_async_view(request, self._view, args, kwargs, self._options)

    def stands_for(self, view: Callable[..., Any]) -> bool:
        """Whether it is this one: decorators around it copy its attributes."""
        return self._decorated is view


def find_call_in_thread(view: Callable[..., Any]) -> Callable[..., Any]:
    """What calls the view in a thread with as little as that takes: the view, in general."""
    call: InThread | None = getattr(view, "_in_thread", None)
    return view if call is None or not call.stands_for(view) else call


def answer_plain(request: HttpRequest, response: Any) -> Any:
    """What a view has answered that was not accepted here: nobody was, or somebody further out."""
    return response if is_upgraded(request) else vary_on_upgrade(response)


def open_session(
    request: HttpRequest,
    view: Callable[..., Any],
    args: Any,
    kwargs: Any,
    options: HandshakeOptions,
    *,
    in_coroutine: bool = False,
) -> tuple[ViewRun | None, HttpResponse | None]:
    """Check the handshake and accept it: a session, or a refusal, or neither for plain HTTP."""
    asked = attach(request)
    if is_upgraded(request):
        return None, None
    use = Use.COROUTINE if in_coroutine else Use.VIEW
    if not asked:
        if options.required:
            return None, refuse_plain(request)
        tell_if_lost(request, view)
        return None, None
    try:
        contexts = look_for_contexts(request, in_coroutine=True) if in_coroutine else None
        answering = with_answer(view)
        websocket = open_websocket(request, options, use)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return None, refuse_for(request, error)
    except Exception:  # a wrong setting, a host that is not allowed
        end_connection_behind(request)
        raise
    if websocket is None:
        return None, None
    run = websocket._origin = ViewRun(websocket, request, answering, args, kwargs, contexts)
    return run, None
