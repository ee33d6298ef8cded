"""Middleware that takes less memory while a view waits inside it.

Django calls each middleware as an object. Python's own calls of plain functions and methods take no
space on the machine's stack, calls of objects do: 0.8 KiB each, of every greenlet, for as long as a
WebSocket is open. So the same chain is called by its methods.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from types import FunctionType
from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler

__all__ = ["flatten"]


def flatten(handler: WSGIHandler) -> None:
    """Have the handler, and its middleware, call methods."""
    handler._middleware_chain = call_method(handler._middleware_chain)  # type: ignore[attr-defined]


def call_method(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """A ``get_response`` of Django's, which calls an object, made to call a method of that."""
    middleware: Any = getattr(get_response, "__wrapped__", None)  # by Django's decorator
    call = getattr_static(type(middleware), "__call__", None)
    if type(get_response) is not FunctionType or type(call) is not FunctionType:
        return get_response
    inner = vars(middleware).get("get_response")
    if inner is not None:
        middleware.get_response = call_method(inner)
    return convert_exception_to_response(middleware.__call__)
