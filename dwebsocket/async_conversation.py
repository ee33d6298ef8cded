"""An ``async`` handler and its WebSocket: one coroutine, which holds no thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

from dwebsocket.conf import conf
from dwebsocket.conversation import Handler, KeptRequest
from dwebsocket.error_log import log_error
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.frames import CloseCode

__all__ = ["AsyncHandler", "as_coroutine", "converse", "load_middleware"]


class AsyncHandler(Handler, Protocol):
    """What is called besides a ``Handler``'s methods."""

    async def end_tasks(self) -> None: ...


def as_coroutine(hook: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A method of a handler, which may be a plain function: that is called in a thread."""
    called: Any = hook if iscoroutinefunction(hook) else sync_to_async(hook)
    return cast(Callable[..., Awaitable[Any]], called)


async def converse(handler: AsyncHandler, request: HttpRequest) -> None:
    """The whole of it, within ``WS_MIDDLEWARE``."""
    handler.websocket = request.websocket  # type: ignore[attr-defined]
    run: Any = run_loop
    for path in reversed(conf.WS_MIDDLEWARE):
        run = load_middleware(path)(run)
    await run(handler)


def load_middleware(path: str) -> Callable[..., Any]:
    """One of ``WS_MIDDLEWARE``.

    Raises:
        ImproperlyConfigured: the path names nothing that can be imported.
    """
    try:
        middleware: Callable[..., Any] = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"WS_MIDDLEWARE names {path!r}, which cannot be imported: {error}"
        ) from error
    return middleware


async def run_loop(handler: AsyncHandler) -> None:
    """From ``on_open`` to ``on_close``. No error but a cancellation gets past here."""
    try:
        await as_coroutine(handler.on_open)()
        if not handler.keep_request:
            handler.request = await sync_to_async(KeptRequest)(handler.request)
        receive = as_coroutine(handler._get_receiver())
        async for message in handler.websocket:
            await receive(message)
    except Exception as error:
        await fail(handler, error)
    finally:
        await handler.end_tasks()
        try:
            await as_coroutine(handler.on_close)()
        except Exception as error:
            await log(handler, error)


async def fail(handler: AsyncHandler, error: Exception) -> None:
    """The handler raised: the end of this connection."""
    if isinstance(error, ConnectionClosed):
        return
    await log(handler, error)
    try:
        await as_coroutine(handler.on_error)(error)
    except Exception as further:
        await log(handler, further)
    await handler.websocket.aclose(CloseCode.INTERNAL_ERROR)


async def log(handler: AsyncHandler, error: Exception) -> None:
    if isinstance(error, ConnectionClosed):  # on_close() or on_error() had something to say
        return
    request = handler.request
    kept = request if isinstance(request, HttpRequest) else None
    await sync_to_async(log_error, thread_sensitive=False)(kept, request.path, error)
