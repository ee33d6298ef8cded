"""The life of one WebSocket request: the only place that knows the order.

attach → check the handshake → accept → view → close → response. A mark on the request makes
whoever comes second (a decorator below the middleware, a decorator twice) a no-op, so that there is
exactly one 101.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from dwebsocket import database
from dwebsocket.async_conversation import AsyncHandler, converse, load_middleware
from dwebsocket.backends import get_factory
from dwebsocket.conversation import Conversation, Handler
from dwebsocket.error_log import log_error
from dwebsocket.exceptions import ConnectionClosed, SocketTakeoverError
from dwebsocket.origin import check_origin
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.handshake import select_subprotocol
from dwebsocket.request_context import activate, find_active
from dwebsocket.threads import in_thread
from dwebsocket.websocket import BaseWebSocket

__all__ = [
    "Terms",
    "acall_view",
    "attach",
    "call_async_handler",
    "call_handler",
    "call_view",
    "end_connection_behind",
    "end_connection_behind_error",
    "is_upgraded",
    "printable",
    "refuse",
]

logger = logging.getLogger("dwebsocket.handshake")

#: In request.META, which wrappers of the request (Django REST framework's) share.
MARK = "dwebsocket.websocket"

#: Characters of what a client sent that are repeated to it, or to the log.
MAX_QUOTED = 500

NOT_ACCEPTED = "This address does not accept WebSockets."
REQUIRED = "This address accepts WebSockets only, and this is a plain HTTP request."


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


def always() -> bool:
    return True


def never() -> bool:
    return False


def attach(request: HttpRequest) -> bool:
    """Give the request ``is_websocket`` and ``websocket``; whether it asks for a WebSocket."""
    if not hasattr(request, "is_websocket"):
        asked = get_factory(request).is_websocket()
        request.is_websocket = always if asked else never  # type: ignore[attr-defined]
        request.websocket = request.META.get(MARK)  # type: ignore[attr-defined]
    return bool(request.is_websocket())  # type: ignore[attr-defined]


def is_upgraded(request: HttpRequest) -> bool:
    """Whether somebody further out is already running this request as a WebSocket."""
    return MARK in request.META


def call_view(
    request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any, terms: Terms
) -> Any:
    """Run a view whose request may ask for a WebSocket; its response."""
    session, refusal = open_session(request, view, args, kwargs, terms)
    if refusal is not None:
        return refusal
    if session is None:
        return view(request, *args, **kwargs)
    return session.answer() if session.leave_server() else session.run()


def call_handler(request: HttpRequest, handler: Handler, terms: Terms) -> HttpResponse:
    """Accept the handshake on behalf of a handler; the response of a request that ends with it."""
    if is_upgraded(request):  # a decorator around dispatch() has accepted
        Conversation(handler, request.websocket).hold(request)  # type: ignore[attr-defined]
        return HttpResponse()
    if not attach(request):
        return refuse(request, REQUIRED)
    try:
        websocket = accept_handshake(request, terms)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    conversation = Conversation(handler, websocket)
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
    return HttpResponse(status=101)


def call_async_handler(request: HttpRequest, handler: AsyncHandler, terms: Terms) -> HttpResponse:
    """The same for a handler with ``async def`` methods. Called in a thread, too."""
    run = partial(run_handler, handler)
    if is_upgraded(request):
        handler.websocket = request.websocket  # type: ignore[attr-defined]
        handler.websocket.run_coroutine(run)
        return HttpResponse()
    if not attach(request):
        return refuse(request, REQUIRED)
    load_middleware()  # what is wrong with it is told with a 500
    try:
        handler.websocket = websocket = accept_handshake(request, terms, in_coroutine=True)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    with ending_on_error(websocket):
        if websocket.leave_for_loop(run):
            return HttpResponse(status=101)
    websocket.run_coroutine(run)
    return SwitchedResponse(websocket)


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
    with ending_on_error(websocket):
        websocket.accept(subprotocol)
    request.META[MARK] = request.websocket = websocket  # type: ignore[attr-defined]
    return websocket


@contextmanager
def ending_on_error(websocket: BaseWebSocket) -> Iterator[None]:
    """Once it is accepted nothing but its session may end the connection: this is before."""
    try:
        yield
    except BaseException as error:
        end(websocket, error)
        raise


async def acall_view(
    request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any, terms: Terms
) -> Any:
    """``call_view`` for an ``async def`` view."""
    session, refusal = open_session(request, view, args, kwargs, terms, in_coroutine=True)
    if refusal is not None:
        return refusal
    if session is None:
        return await view(request, *args, **kwargs)
    return session.answer() if await session.aleave_server() else await session.arun()


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
        return None, (refuse(request, REQUIRED) if terms.required else None)
    try:
        websocket, subprotocol = create_websocket(request, terms)
        if websocket is None:
            return None, None
        session = Session(websocket, request, view, args, kwargs)
        check = websocket.check_coroutines if in_coroutine else websocket.check_view_room
        check(terms.auto_accept)
        if terms.auto_accept:
            with ending_on_error(websocket):
                websocket.accept(subprotocol)
        request.META[MARK] = request.websocket = websocket  # type: ignore[attr-defined]
    except (InvalidHandshake, SocketTakeoverError) as error:
        return None, refuse_for(request, error)
    return session, None


def create_websocket(request: HttpRequest, terms: Terms) -> tuple[BaseWebSocket | None, str | None]:
    """The request's WebSocket and its subprotocol; nothing is taken or written yet."""
    factory = get_factory(request)
    factory.check_handshake()
    check_origin(request)
    subprotocol = select_subprotocol(
        request.META.get("HTTP_SEC_WEBSOCKET_PROTOCOL"), terms.subprotocols
    )
    return factory.create_websocket(), subprotocol


class Session:
    """A view's time with its WebSocket: however it ends, the connection is closed and no error page
    gets into it.
    """

    __slots__ = (
        "_active",
        "_args",
        "_error",
        "_kwargs",
        "_request",
        "_response",
        "_view",
        "_websocket",
    )

    def __init__(
        self,
        websocket: BaseWebSocket,
        request: HttpRequest,
        view: Callable[..., Any],
        args: Any,
        kwargs: Any,
    ) -> None:
        self._websocket = websocket
        self._request = request
        self._view = view
        self._args = args
        self._kwargs = kwargs
        # What has become, beside the server, of a view that did not accept.
        self._error: BaseException | None = None
        self._response: Any = None

    def leave_server(self) -> bool:
        """Run the view beside the server, whose request then ends at once; whether that is so."""
        self._active = find_active()
        with ending_on_error(self._websocket):  # the system has no further thread
            return self._websocket.leave_server(self._run_beside)

    async def aleave_server(self) -> bool:
        """The same for an ``async def`` view."""
        with ending_on_error(self._websocket):
            return await self._websocket.aleave_server(self._arun_beside)

    def answer(self) -> Any:
        """The response for Django when the view has left the server."""
        if self._error is not None:
            raise self._error
        return HttpResponse(status=101) if self._websocket.accepted else self._response

    def run(self) -> Any:
        """Run the view; the response for Django."""
        try:
            outcome = self._view(self._request, *self._args, **self._kwargs)
        except BaseException as error:
            return self._fail(error)
        end(self._websocket, None)
        return self.respond(outcome)

    async def arun(self) -> Any:
        """Run the ``async def`` view; the response for Django."""
        try:
            outcome = await self._view(self._request, *self._args, **self._kwargs)
        except Exception as error:
            await aend(self._websocket, error)
            return await in_thread(self._fail, error)
        except BaseException as error:  # cancelled: nothing is waited for
            return self._fail(error)
        await aend(self._websocket, None)
        return self.respond(outcome)

    def _run_beside(self) -> None:
        before = database.opened
        try:
            if self._active is not None:
                activate(self._active)
            self._response = self.run()
        except BaseException as error:
            self._keep(error)
        finally:
            if database.opened != before:
                database.close_all()

    async def _arun_beside(self) -> None:
        try:
            self._response = await self.arun()
        except BaseException as error:
            self._keep(error)

    def _keep(self, error: BaseException) -> None:
        """An error for the request, if that waits for an answer still."""
        if self._websocket.accepted:
            raise error
        self._error = error

    def respond(self, outcome: Any = None) -> Any:
        """What Django gets: the view's response to a handshake that it did not accept, else one
        that goes nowhere.
        """
        if self._websocket.accepted:
            return SwitchedResponse(self._websocket)
        end_connection_behind(self._request, outcome)
        return outcome

    def _fail(self, error: BaseException) -> Any:
        """The view raised: the response for Django, which sees the error only before the 101."""
        end(self._websocket, error)
        if not self._websocket.accepted:
            if isinstance(error, (InvalidHandshake, SocketTakeoverError)):
                return refuse_for(self._request, error)  # what accept() in the view ran into
            end_connection_behind_error(self._request)
            raise error
        if not isinstance(error, Exception):
            raise error
        if not isinstance(error, ConnectionClosed):
            log_error(self._request, self._request.path, error)
        return self.respond()


class SwitchedResponse(HttpResponse):
    """The response of a request that became a WebSocket. The server finds nobody to write it to."""

    status_code = 101

    def __init__(self, websocket: BaseWebSocket) -> None:
        super().__init__()
        self._websocket = websocket

    def __iter__(self) -> Iterator[bytes]:
        # Some servers want to be told in the very thread that iterates: not so in an async view.
        self._websocket.finish()
        return iter(())


def end(websocket: BaseWebSocket, error: BaseException | None) -> None:
    """The view has ended, ``error`` is why: close with the code that tells (RFC 6455, 7.4.1)."""
    if websocket.accepted:
        try:
            if error is None or isinstance(error, Exception):
                websocket.close(find_close_code(error))
            else:  # SystemExit, GreenletExit, …: the server ends, and does not wait for a peer
                websocket.close_connection(CloseCode.GOING_AWAY, "", timeout=0)
        finally:
            websocket.finish()
            # Not every server ends a request whose client has left.
            websocket.release_database()


async def aend(websocket: BaseWebSocket, error: Exception | None) -> None:
    """The same in an event loop, without a thread where that can be done."""
    if websocket.accepted:
        await websocket.aclose(find_close_code(error))
    if websocket.has_loop:
        end(websocket, error)
    else:
        await in_thread(end, websocket, error)


def find_close_code(error: Exception | None) -> int:
    normal = error is None or isinstance(error, ConnectionClosed)
    return CloseCode.NORMAL_CLOSURE if normal else CloseCode.INTERNAL_ERROR


def refuse_for(request: HttpRequest, error: InvalidHandshake | SocketTakeoverError) -> HttpResponse:
    """The refusal that an error stands for."""
    if isinstance(error, SocketTakeoverError):
        return refuse(request, str(error), 501, level=logging.ERROR)
    return refuse(request, str(error), error.status_code, dict(error.headers))


def refuse(
    request: HttpRequest,
    reason: str = NOT_ACCEPTED,
    status: int = 400,
    headers: dict[str, str] | None = None,
    level: int = logging.WARNING,
) -> HttpResponse:
    """An HTTP answer that says why, and one line in the log."""
    reason = printable(reason)
    logger.log(
        level,
        "WebSocket refused with %s: %s %s: %s",
        status,
        request.method,
        printable(request.path),
        reason,
        extra={"status_code": status, "request": request},
    )
    response = HttpResponse(
        reason + "\n", status=status, content_type="text/plain; charset=utf-8", headers=headers
    )
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would add a second line
    end_connection_behind(request, response)
    return response


def end_connection_behind(request: HttpRequest, response: Any) -> None:
    """See to it that no further request is read behind the answer to a handshake: the client may
    have sent frames already, or wants a request to be taken for one.
    """
    if attach(request) and isinstance(response, HttpResponseBase):
        factory = get_factory(request)
        factory.expect_refusal()
        # Called with close(), by the server, when it has written everything (PEP 3333).
        response._resource_closers.append(factory.hang_up)  # type: ignore[attr-defined]


def end_connection_behind_error(request: HttpRequest) -> None:
    """The same where an error is going to be the answer: the response is still to be made, by
    Django, which closes the request with it.
    """
    if attach(request):
        factory = get_factory(request)
        factory.expect_refusal()
        close, hang_up = request.close, factory.hang_up

        def close_and_hang_up() -> None:
            close()
            hang_up()

        request.close = close_and_hang_up  # type: ignore[method-assign]


def printable(text: str) -> str:
    """What a client sent, fit for a log and for a screen: no line breaks, no end of its own."""
    return text[:MAX_QUOTED].encode("unicode_escape").decode()
