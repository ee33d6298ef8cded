"""An ``async`` handler and its WebSocket: one coroutine, which holds no thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import cache, partial
from typing import Any, Protocol, TypeVar, cast

from asgiref.sync import iscoroutinefunction, sync_to_async

from dwebsocket.conf import conf
from dwebsocket.conf.validators import import_callable
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running.call_contexts import CallContexts, NotEntered
from dwebsocket.running.threads import in_thread
from dwebsocket.upgrade.error_log import show_error, tells_end
from dwebsocket.upgrade.handler import Handler, keep, log_failure
from dwebsocket.upgrade.hooks import AsyncTurns, hears
from dwebsocket.upgrade.opening import find_opening
from dwebsocket.websocket import BaseWebSocket

__all__ = [
    "NOTHING",
    "AsyncHandler",
    "AsyncOrigin",
    "as_coroutine",
    "check_middleware",
    "converse",
    "empty",
    "load_middleware",
    "log",
    "within",
]


class AsyncHandler(Handler, Protocol):
    """What is called of an ``async`` handler, besides the methods of a ``Handler``."""

    _contexts: CallContexts | None  # for its calls, which all come after the request
    _failure: BaseException | None  # which it has been told of

    async def _end_tasks(self) -> None: ...


class AsyncOrigin:
    """What those are told of an ``async`` handler who ask who is connected."""

    __slots__ = ("_handler",)

    def __init__(self, handler: AsyncHandler) -> None:
        self._handler = handler

    @property
    def served(self) -> tuple[Any, str, Any]:
        """See ``Origin``."""
        handler = self._handler
        return getattr(handler, "request", None), "async handler", type(handler)

    def get_state(self) -> Any:
        """What the handler wants to be known where its connection goes on."""
        return self._handler.get_state()


Run = Callable[[AsyncHandler], Awaitable[Any]]


Hook = TypeVar("Hook", bound=Callable[..., Any])


def empty(hook: Hook) -> Hook:
    """Mark a method that does nothing: no thread is needed for it."""
    hook.__dict__["is_empty"] = True
    return hook


class Nothing:
    """What an empty method returns: ``await super().on_open()`` works, though it is plain."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()

    def __bool__(self) -> bool:
        return False


NOTHING = Nothing()


async def do_nothing(*args: Any) -> None:
    pass


def as_coroutine(hook: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A coroutine function for a method of a handler; a plain method is called in a thread."""
    if getattr(hook, "is_empty", False):
        return do_nothing
    called: Any = hook if iscoroutinefunction(hook) else sync_to_async(hook)
    return cast(Callable[..., Awaitable[Any]], called)


def within(handler: AsyncHandler, hook: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """``as_coroutine``, within what surrounds each call."""
    called = as_coroutine(hook)
    contexts = handler._contexts
    return called if contexts is None else partial(contexts.arun, called)


def load_middleware() -> Run:
    """``run_loop`` within ``WS_MIDDLEWARE``, each of which is made once.

    Raises:
        ImproperlyConfigured: one cannot be imported, or cannot be called.
    """
    return wrap(tuple(conf.WS_MIDDLEWARE))


def check_middleware() -> None:
    """Look at ``WS_MIDDLEWARE``.

    Raises:
        ImproperlyConfigured: as ``load_middleware``.
    """
    for path in conf.WS_MIDDLEWARE:
        import_middleware(path)


@cache
def wrap(paths: tuple[str, ...]) -> Run:
    run: Run = run_loop
    for path in reversed(paths):
        run = import_middleware(path)(run)
    return run


def import_middleware(path: str) -> Callable[[Run], Run]:
    use = "what it wraps, and returns an async callable that takes the handler"
    return import_callable("WS_MIDDLEWARE", path, use)


async def converse(handler: AsyncHandler) -> Exception | None:
    """Call an ``async`` handler, from the accepted handshake to the end without the Close.

    Returns:
        What it has failed with, which is logged.
    """
    try:
        await load_middleware()(handler)
    except Exception as error:
        if error is not handler._failure:  # of the middleware
            await log(handler, error)
        return error
    finally:
        handler._failure = None  # it holds all that was running
        await handler._end_tasks()
    return None


async def run_loop(handler: AsyncHandler) -> None:
    """Call the methods, ``on_open`` to ``on_close``. What one of them has raised goes on to the
    middleware.
    """
    websocket: BaseWebSocket = handler.websocket  # it may do what it wants with its attributes
    turns = create_turns(handler, websocket)
    try:
        await within(handler, find_opening(handler, websocket))()
        if not handler.keep_request:
            await sync_to_async(keep)(handler, handler._contexts)
        receive = within(handler, handler._get_receiver())
        if turns is not None:
            turns.begin()
            receive = partial(turns.run, receive)
        async for message in websocket:
            await receive(message)
        if handler._failure is not None:  # of what a group has called
            raise handler._failure
    except Exception as error:
        await fail_in_turn(handler, websocket, turns, error)
        if error is handler._failure:
            raise
    except asyncio.CancelledError as error:  # of something it has waited for, perhaps
        if is_cancelled():
            raise
        await fail_in_turn(handler, websocket, turns, error)
    finally:
        websocket.close_nowait(CloseCode.INTERNAL_ERROR, "")  # if nobody has closed it
        try:
            await end_calls(handler, turns)
        finally:
            await close(handler)


def create_turns(handler: AsyncHandler, websocket: BaseWebSocket) -> AsyncTurns | None:
    """The turns of a handler that its groups call, too; ``None``: they do not."""
    if not hears(handler):
        return None
    turns = AsyncTurns(handler, partial(call_hook, handler, websocket))
    websocket._hooks = turns
    return turns


async def call_hook(
    handler: AsyncHandler, websocket: BaseWebSocket, hook: str, given: tuple[Any, ...]
) -> None:
    """Call what a group wants called."""
    if websocket._has_ended:
        return
    try:
        await within(handler, getattr(handler, hook))(*given)
    except Exception as error:
        await fail(handler, websocket, error)
    except asyncio.CancelledError as error:  # of something it has waited for, perhaps
        if is_cancelled():
            raise
        await fail(handler, websocket, error)


async def end_calls(handler: AsyncHandler, turns: AsyncTurns | None) -> None:
    """Nothing is called beside the handler any more."""
    try:
        if turns is not None:
            await turns.end()
    finally:
        await handler._end_tasks()


async def fail_in_turn(
    handler: AsyncHandler,
    websocket: BaseWebSocket,
    turns: AsyncTurns | None,
    error: BaseException,
) -> None:
    """``fail`` when no call of a group runs, unless one has failed so."""
    if turns is None:
        await fail(handler, websocket, error)
    elif error is not handler._failure:
        turns.stop()
        await turns.run(fail, handler, websocket, error)


def is_cancelled() -> bool:
    """Whether the running task is the one that was cancelled; Python 3.10 does not tell."""
    task: Any = asyncio.current_task()
    return not hasattr(task, "cancelling") or task.cancelling() > 0


async def fail(handler: AsyncHandler, websocket: BaseWebSocket, error: BaseException) -> None:
    """End the connection of a handler that raised."""
    if tells_end(error):
        await websocket.aclose()
        return
    handler._failure = error
    try:
        if isinstance(error, NotEntered):
            await log(handler, error)
        else:
            await tell(handler, error)
    except Exception as further:
        await log(handler, further)
    show_error(websocket, error)
    await websocket.aclose(CloseCode.INTERNAL_ERROR)


async def tell(handler: AsyncHandler, error: BaseException) -> None:
    await log(handler, error)
    await within(handler, handler.on_error)(error)


async def close(handler: AsyncHandler) -> None:
    try:
        await within(handler, handler.on_close)()
    except Exception as error:
        await log(handler, error)


async def log(handler: AsyncHandler, error: BaseException) -> None:
    """Log what a handler has raised, as the error of a view."""
    await in_thread(log_failure, handler, error)
