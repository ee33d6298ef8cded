"""``WEBSOCKET_CONTEXTS``: what is put around every call that comes after the request has ended.

Middleware is gone by then, and with it what it keeps in threads and on connections. Each function
of the setting takes the request, or what is left of it, and returns a context manager.

Where a server cannot let go of a connection its handler is called within the request, and so within
the middleware. It is within the contexts there, too: they have to nest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from functools import cache, partial
from typing import Any, NamedTuple, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from dwebsocket.conf import conf
from dwebsocket.conf.validators import import_callable

__all__ = [
    "ASIDE",
    "Aside",
    "CallContext",
    "CallContexts",
    "NotEntered",
    "find_contexts",
    "load_contexts",
]

#: In request.META, of a server that wants to know what goes on when its request has ended; in the
#: scope of an ASGI server.
ASIDE = "dwebsocket.aside"

NO_CONTEXT = (
    "WEBSOCKET_CONTEXTS: %s has returned %r, which is no context manager: it takes the request and "
    "returns something for 'with', or, for async handlers and views, for 'async with'."
)
NOT_PLAIN = (
    "WEBSOCKET_CONTEXTS: %s has returned an async context manager, and the methods of this handler "
    "are plain 'def': return one for 'with', which async handlers and views can do with, too."
)


class NotEntered(Exception):
    """A context could not be entered, so what it should surround was not called."""


class CallContext(NamedTuple):
    """One function of the setting."""

    path: str
    make: Callable[[Any], Any]


class Aside(Protocol):
    """A server's own context, around all others."""

    def begin(self) -> None:
        """A connection goes on when its request has ended."""

    def end(self) -> None:
        """Nothing more is called of it."""

    def enter(self) -> AbstractContextManager[Any]:
        """Around each call, in its thread."""


def load_contexts() -> tuple[CallContext, ...]:
    """The functions that ``WEBSOCKET_CONTEXTS`` names.

    Raises:
        ImproperlyConfigured: one cannot be imported, or cannot be called.
    """
    paths = conf.CONTEXTS
    return import_contexts(tuple(paths)) if paths else ()


@cache
def import_contexts(paths: tuple[str, ...]) -> tuple[CallContext, ...]:
    use = "the request, and returns a context manager"
    return tuple(
        CallContext(path, import_callable("WEBSOCKET_CONTEXTS", path, use)) for path in paths
    )


def find_contexts(request: HttpRequest, *, in_coroutine: bool = False) -> CallContexts | None:
    """The contexts for what is going to be called when this request has ended; ``None`` if there
    are none, which costs a call nothing.

    Raises:
        ImproperlyConfigured: one of them is of no use there.
    """
    functions, aside = load_contexts(), request.META.get(ASIDE)
    for context in functions:
        check_kind(context, context.make(request), in_coroutine)
    return CallContexts(functions, aside, request) if functions or aside else None


def check_kind(context: CallContext, manager: Any, in_coroutine: bool) -> None:
    if is_plain(manager):
        return
    if not is_async(manager):
        raise ImproperlyConfigured(NO_CONTEXT % (context.path, manager))
    if not in_coroutine:
        raise ImproperlyConfigured(NOT_PLAIN % context.path)


def is_plain(manager: Any) -> bool:
    return hasattr(type(manager), "__enter__")


def is_async(manager: Any) -> bool:
    return hasattr(type(manager), "__aenter__")


class CallContexts:
    """Those of one connection, entered anew for each call.

    A coroutine is within the async ones. The plain ones, which keep things in threads, are around
    each plain call that is made for it: its event loop's thread is also that of others.

    Attributes:
        request: what the functions get: the request, or what is kept of it.
    """

    __slots__ = ("_aside", "_functions", "request")

    def __init__(
        self, functions: Sequence[CallContext], aside: Aside | None, request: HttpRequest
    ) -> None:
        self._functions = functions
        self._aside = aside
        self.request: Any = request

    @property
    def kept(self) -> set[str]:
        """The attributes of the request that the functions need."""
        return {name for context in self._functions for name in getattr(context.make, "keeps", ())}

    def begin(self) -> None:
        """The request is about to end, and the connection goes on."""
        if self._aside is not None:
            self._aside.begin()

    def end(self) -> None:
        """Nothing more is going to be called."""
        if self._aside is not None:
            self._aside.end()

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a plain function within the plain ones.

        Raises:
            NotEntered: one cannot be entered; the function has not been called.
        """
        with ExitStack() as stack:
            if self._aside is not None:
                stack.enter_context(self._aside.enter())
            for context in self._functions:
                self._enter(context, stack)
            return function(*args)

    async def arun(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Call a coroutine function within the async ones.

        Raises:
            NotEntered: one cannot be entered; the function has not been called.
        """
        async with AsyncExitStack() as stack:
            for context in self._functions:
                await self._aenter(context, stack)
            return await function(*args, **kwargs)

    def surround(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """``run`` for a plain call that a coroutine makes."""
        return partial(self.run, function)

    def _enter(self, context: CallContext, stack: ExitStack) -> None:
        try:
            manager = context.make(self.request)
            if is_plain(manager) or not is_async(manager):
                stack.enter_context(manager)
        except Exception as error:
            raise not_entered(context, error) from error

    async def _aenter(self, context: CallContext, stack: AsyncExitStack) -> None:
        try:
            manager = context.make(self.request)
            if is_async(manager):
                await stack.enter_async_context(manager)
        except Exception as error:
            raise not_entered(context, error) from error


def not_entered(context: CallContext, error: Exception) -> NotEntered:
    return NotEntered(
        f"WEBSOCKET_CONTEXTS: {context.path} cannot be entered ({error!r}), so what it should "
        "surround was not called, and the connection is closed."
    )
