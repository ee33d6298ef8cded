"""``accept_websocket`` and ``require_websocket``: what makes a view speak WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from asgiref.sync import iscoroutinefunction
from django.db import connections, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dwebsocket.handlers import BaseWebSocketHandler
from dwebsocket.http import HttpOrWebSocketRequest, WebSocket
from dwebsocket.running.database import EveryDatabase
from dwebsocket.upgrade.attachment import attach
from dwebsocket.upgrade.handshake import HandshakeOptions
from dwebsocket.upgrade.order import InThread, acall_view, call_view

__all__ = ["accept_websocket", "require_websocket"]

P = ParamSpec("P")

#: What a view may return, and what a decorated one does: nothing would be an error to path().
Answer: TypeAlias = HttpResponseBase | None
AsyncAnswer: TypeAlias = Coroutine[Any, Any, Answer]
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
AsyncView: TypeAlias = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]


class MayHaveWebSocket(Protocol):
    """``HttpOrWebSocketRequest``, and what is derived from it; but not ``WebSocketRequest``, which
    says that there always is one.
    """

    websocket: WebSocket | None


#: Requests may be of a class of the user's, which knows of a further attribute.
Either = TypeVar("Either", bound=MayHaveWebSocket)
Request = TypeVar("Request", bound=HttpRequest)


class AcceptWebSocket(Protocol):
    """What ``accept_websocket(…)`` returns."""

    @overload
    def __call__(
        self, view: Callable[Concatenate[HttpOrWebSocketRequest, P], Answer]
    ) -> View[P]: ...
    @overload
    def __call__(self, view: Callable[Concatenate[Either, P], Answer]) -> View[P]: ...
    @overload
    def __call__(
        self, view: Callable[Concatenate[HttpOrWebSocketRequest, P], AsyncAnswer]
    ) -> AsyncView[P]: ...
    @overload
    def __call__(self, view: Callable[Concatenate[Either, P], AsyncAnswer]) -> AsyncView[P]: ...


class RequireWebSocket(Protocol):
    """What ``require_websocket(…)`` returns."""

    @overload
    def __call__(self, view: Callable[Concatenate[Request, P], Answer]) -> View[P]: ...
    @overload
    def __call__(self, view: Callable[Concatenate[Request, P], AsyncAnswer]) -> AsyncView[P]: ...


@overload
def accept_websocket(
    view: Callable[Concatenate[HttpOrWebSocketRequest, P], Answer],
) -> View[P]: ...
@overload
def accept_websocket(view: Callable[Concatenate[Either, P], Answer]) -> View[P]: ...
@overload
def accept_websocket(
    view: Callable[Concatenate[HttpOrWebSocketRequest, P], AsyncAnswer],
) -> AsyncView[P]: ...
@overload
def accept_websocket(view: Callable[Concatenate[Either, P], AsyncAnswer]) -> AsyncView[P]: ...
@overload
def accept_websocket(
    *, subprotocols: Sequence[str] = (), auto_accept: bool = True, fallback: bool = True
) -> AcceptWebSocket: ...
def accept_websocket(
    view: Any = None,
    *,
    subprotocols: Sequence[str] = (),
    auto_accept: bool = True,
    fallback: bool = True,
) -> Any:
    """The view answers WebSockets and plain HTTP; ``request.is_websocket()`` tells which.

    Args:
        subprotocols: those the view speaks, the preferred first; the first one that the client
            offers is agreed on and is ``request.websocket.subprotocol``.
        auto_accept: ``False`` leaves the 101 to the view, which calls
            ``request.websocket.accept()`` or returns an ordinary response to refuse.
        fallback: ``False``: HTTP polls do not carry it where no WebSocket gets through.
    """
    return decorate(view, HandshakeOptions(False, subprotocols, auto_accept, fallback))


@overload
def require_websocket(view: Callable[Concatenate[Request, P], Answer]) -> View[P]: ...
@overload
def require_websocket(view: Callable[Concatenate[Request, P], AsyncAnswer]) -> AsyncView[P]: ...
@overload
def require_websocket(
    *, subprotocols: Sequence[str] = (), auto_accept: bool = True, fallback: bool = True
) -> RequireWebSocket: ...
def require_websocket(
    view: Any = None,
    *,
    subprotocols: Sequence[str] = (),
    auto_accept: bool = True,
    fallback: bool = True,
) -> Any:
    """The view answers WebSockets only; plain HTTP gets a 400. Takes what ``accept_websocket``
    takes.
    """
    return decorate(view, HandshakeOptions(True, subprotocols, auto_accept, fallback))


def decorate(view: Any, options: HandshakeOptions) -> Any:
    if isinstance(options.subprotocols, str):
        raise TypeError(f"subprotocols is {options.subprotocols!r}, it must be a list of names")
    options = replace(options, subprotocols=tuple(options.subprotocols))
    return wrap(view, options) if view is not None else lambda view: wrap(view, options)


def wrap(view: Callable[..., Any], options: HandshakeOptions) -> Callable[..., Any]:
    """The view with the life of a WebSocket request around it."""
    if not callable(view):
        raise TypeError(
            f"a WebSocket decorator takes a view, not {view!r}; its options are named: "
            "subprotocols=…, auto_accept=…, fallback=…"
        )
    if isinstance(view, type):
        raise TypeError(
            f"a WebSocket decorator takes a view, and {view.__qualname__} is a class: decorate "
            f"{view.__qualname__}.as_view(), or nothing if it is a WebSocketHandler"
        )
    if issubclass(getattr(view, "view_class", object), BaseWebSocketHandler):
        return leave_to_handler(view, options)
    wrapper: Callable[..., Any]
    if iscoroutinefunction(view) or is_method_of_async_view(view):

        @wraps(view)
        async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check_is_request(request, view)
            return await acall_view(request, view, args, kwargs, options)

        if options.auto_accept:
            wrapper._in_thread = InThread(wrapper, view, options)  # type: ignore[attr-defined]

    else:

        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check_is_request(request, view)
            called = view if attach(request) else make_atomic(view, wrapper)
            return call_view(request, called, args, kwargs, options)

    mark(wrapper, required=options.required or getattr(view, "require_websocket", False))
    return wrapper


def is_method_of_async_view(view: Any) -> bool:
    """Whether it is what ``method_decorator`` gives of a class-based view whose methods are
    ``async``; its ``dispatch`` is a plain function that returns a coroutine.
    """
    instance = getattr(getattr(view, "func", None), "__self__", None)
    return getattr(instance, "view_is_async", False)


def mark(wrapper: Any, *, required: bool) -> None:
    """Tell the middleware that this view sees to its WebSockets itself, and with what options."""
    wrapper.accept_websocket = wrapper.handles_websocket = True
    wrapper.require_websocket = required
    # A transaction must not stay open for as long as a WebSocket; for plain HTTP see make_atomic.
    wrapper._non_atomic_requests = EveryDatabase()


def leave_to_handler(view: Callable[..., Any], options: HandshakeOptions) -> Callable[..., Any]:
    """A handler accepts by itself, and does not hold the thread of a view."""
    if options.subprotocols or not (options.auto_accept and options.fallback):
        raise TypeError(
            f"{view.view_class.__qualname__} is a handler and needs no decorator: "  # type: ignore[attr-defined]
            "its subprotocols and fallback are attributes of the class, its mixins refuse requests"
        )
    return view


def make_atomic(view: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    """What ATOMIC_REQUESTS would have done, for a request that is plain HTTP after all."""
    # non_atomic_requests may stand below or above our decorator.
    excluded = {*getattr(view, "_non_atomic_requests", ()), *wrapper._non_atomic_requests}  # type: ignore[attr-defined]
    for alias, database in connections.settings.items():
        if database["ATOMIC_REQUESTS"] and alias not in excluded:
            view = transaction.atomic(using=alias)(view)
    return view


def check_is_request(request: Any, view: Callable[..., Any]) -> None:
    if not hasattr(request, "META"):
        raise TypeError(
            f"{view.__qualname__} was called with {type(request).__name__} instead of a request; "
            "on a method use @method_decorator(accept_websocket)"
        )
