"""The life of one WebSocket request: the only place that knows the order.

attach → check the handshake → accept → view → close → response. A mark on the request makes
whoever comes second (a decorator below the middleware, a decorator twice) a no-op, so that there is
exactly one 101.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from dwebsocket import database
from dwebsocket.backends import get_factory
from dwebsocket.conversation import Conversation, Handler
from dwebsocket.error_log import log_error
from dwebsocket.exceptions import ConnectionClosed, SocketTakeoverError
from dwebsocket.origin import check_origin
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.handshake import select_subprotocol
from dwebsocket.request_context import activate, find_active
from dwebsocket.websocket import BaseWebSocket

__all__ = [
    "Terms",
    "acall_view",
    "attach",
    "call_coroutine",
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
    if is_upgraded(request):  # a decorator around the handler's view has accepted
        Conversation(handler, request.websocket).hold(request)  # type: ignore[attr-defined]
        return HttpResponse()
    if not attach(request):
        return refuse(request, REQUIRED)
    try:
        websocket, subprotocol = create_websocket(request, terms)
        assert websocket is not None  # the request asks for one
        conversation = Conversation(handler, websocket)
        session = Session(websocket, request, conversation.hold, (), {})
        session.accept(subprotocol)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)
    request.META[MARK] = request.websocket = websocket  # type: ignore[attr-defined]
    start = websocket.drive(conversation)
    if start is None:
        return cast(HttpResponse, session.run())
    try:
        conversation.open()
    except BaseException:  # the server ends
        websocket.close_connection(CloseCode.GOING_AWAY, "", timeout=0)
        raise
    finally:
        conversation.leave_request()
        start()
    return HttpResponse(status=101)


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Waiting for the peer's Close must not hold up the event loop."""
    return await sync_to_async(function, thread_sensitive=False)(*args)


async def acall_view(
    request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any, terms: Terms
) -> Any:
    """``call_view`` for an ``async def`` view."""
    session, refusal = open_session(request, view, args, kwargs, terms)
    if refusal is not None:
        return refusal
    if session is None:
        return await view(request, *args, **kwargs)
    return session.answer() if await session.aleave_server() else await session.arun()


def call_coroutine(
    request: HttpRequest, run: Callable[[HttpRequest], Coroutine[Any, Any, None]], terms: Terms
) -> Any:
    """``acall_view`` in a thread, which is given back where the coroutine does not need it."""
    session, refusal = open_session(request, run, (), {}, terms)
    if refusal is not None:
        return refusal
    websocket: BaseWebSocket = request.websocket  # type: ignore[attr-defined]
    if session is None:  # a decorator around it has accepted
        return websocket.run_coroutine(partial(run, request)) or HttpResponse()
    if session.leave_for_loop():
        return session.answer()
    return websocket.run_coroutine(session.arun)


def open_session(
    request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any, terms: Terms
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
        websocket.check_view_room(terms.auto_accept)
        if terms.auto_accept:
            session.accept(subprotocol)
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

    def accept(self, subprotocol: str | None) -> None:
        """Send the 101; from here on nothing but the session may end the connection."""
        try:
            self._websocket.accept(subprotocol)
        except BaseException as error:
            self._end(error)
            raise

    def leave_server(self) -> bool:
        """Run the view beside the server, whose request then ends at once; whether that is so."""
        self._active = find_active()
        try:
            return self._websocket.leave_server(self._run_beside)
        except BaseException as error:  # the system has no further thread
            self._end(error)
            raise

    def leave_for_loop(self) -> bool:
        """The same for a coroutine, once it is accepted."""
        return self._websocket.leave_for_loop(self.arun)

    async def aleave_server(self) -> bool:
        """The same for an ``async def`` view."""
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
        self._end(None)
        return self.respond(outcome)

    async def arun(self) -> Any:
        """Run the ``async def`` view; the response for Django."""
        try:
            outcome = await self._view(self._request, *self._args, **self._kwargs)
        except Exception as error:
            await self._aclose(error)
            return await in_thread(self._fail, error)
        except BaseException as error:  # cancelled: nothing is waited for
            return self._fail(error)
        await self._aclose(None)
        if self._websocket.ends_in_thread:
            await in_thread(self._end, None)
        else:
            self._end(None)
        return self.respond(outcome)

    async def _aclose(self, error: Exception | None) -> None:
        """Close without a thread, where that can be done."""
        if self._websocket.accepted:
            await self._websocket.aclose(find_close_code(error))

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
        self._end(error)
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

    def _end(self, error: BaseException | None) -> None:
        if self._websocket.accepted:
            try:
                close(self._websocket, error)
            finally:
                self._websocket.finish()
                # Not every server ends a request whose client has left.
                self._websocket.release_database()


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


def close(websocket: BaseWebSocket, error: BaseException | None) -> None:
    """Close with the code that tells how the view ended (RFC 6455, 7.4.1)."""
    if error is None or isinstance(error, Exception):
        websocket.close(find_close_code(error))
    else:  # SystemExit, GreenletExit, …: the server ends, and does not wait for a peer
        websocket.close_connection(CloseCode.GOING_AWAY, "", timeout=0)


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
