"""Which methods a handler has, and whether they can be called as they are written: otherwise the
first client would find out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured

__all__ = [
    "HOOKS",
    "check_dispatch",
    "check_hooks",
    "check_resumable",
    "check_subprotocols",
    "is_async",
]

#: The methods that are called, and what with.
HOOKS = {
    "on_open": (),
    "on_resume": ("state",),
    "get_state": (),
    "on_message": ("message",),
    "on_close": (),
    "on_error": ("error",),
    "on_presence": ("joined", "left"),
    "on_history_lost": ("group",),
}


def is_async(handler: Any) -> bool:
    """Whether a method is ``async def``."""
    kind = handler if isinstance(handler, type) else type(handler)
    methods = tuple([getattr(kind, name) for name in HOOKS])
    is_usual = set(map(type, methods)) == {FunctionType}
    if is_usual and (kind is handler or HOOKS.keys().isdisjoint(vars(handler))):
        return any_is_async(methods)
    return any(iscoroutinefunction(getattr(handler, name)) for name in HOOKS)


@lru_cache(256)  # each connection asks
def any_is_async(methods: tuple[Callable[..., Any], ...]) -> bool:
    return any(map(iscoroutinefunction, methods))


def check_dispatch(handler: type[Any]) -> None:
    """Raise ``ImproperlyConfigured`` for a coroutine where none is awaited."""
    if iscoroutinefunction(handler.dispatch):
        raise ImproperlyConfigured(
            f"{handler.__qualname__}.dispatch is 'async def', and it is called in a thread, before "
            "the handshake: write it as 'def'"
        )


def check_hooks(handler: type[Any]) -> None:
    """Raise ``ImproperlyConfigured`` for a method that does not take what it will be called with,
    as in code for other packages.
    """
    if iscoroutinefunction(handler.get_state):
        raise ImproperlyConfigured(
            f"{handler.__qualname__}.get_state is 'async def', and it is called when nothing of "
            "the handler runs any more: write it as 'def'"
        )
    for name, given in handler._hooks_given.items():
        hook = inspect.getattr_static(handler, name)
        if not inspect.isfunction(hook):
            continue
        try:  # as it is called: a decorator may give other arguments to what is inside
            inspect.signature(hook, follow_wrapped=False).bind(handler, *given)
        except TypeError as error:
            raise ImproperlyConfigured(
                f"{handler.__qualname__}.{name} cannot be called as {name}({', '.join(given)}): "
                f"{error}. Write 'def {name}({', '.join(['self', *given])})'"
            ) from error


def check_resumable(handler: type[Any]) -> None:
    """Raise ``ImproperlyConfigured`` where what cannot go to another process is to do so."""
    if handler.resumable and is_async(handler):
        raise ImproperlyConfigured(
            f"{handler.__qualname__}.resumable is True, and it has 'async def' methods: what a "
            "coroutine is doing cannot go to another process. Write 'def', or leave resumable out"
        )


def check_subprotocols(handler: type[Any], names: Any) -> None:
    """Raise ``TypeError`` for one name in the place of a list."""
    if isinstance(names, str):  # its characters would be the names
        raise TypeError(
            f"{handler.__qualname__}.subprotocols is {names!r}, it must be a list of names"
        )
