"""What the decorators below ours take for a response.

A view may return nothing when its WebSocket has ended; ``never_cache``, ``vary_on_cookie`` or the
``api_view`` of Django REST framework between our decorator and the view want to add headers to
that. For them the view itself, which they have wrapped long before, is to answer: they are copied
around one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from types import CellType, FunctionType, MethodType
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.views import View

from dwebsocket.upgrade.attachment import MARK

__all__ = ["with_answer"]


def with_answer(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view; if others have decorated it a copy, in which they get an empty response where it
    returns nothing. As far as ``functools.wraps`` and Django's own decorators show what is inside.
    """
    copied = copy_decorator(view)
    return view if copied is None else copied


def answer(view: Callable[..., Any]) -> Any:
    """A view that answers: a copy of its decorators, or a function around what is innermost."""
    copied = copy_decorator(view)
    if copied is not None:
        return copied
    wrapper: Callable[..., Any]
    if iscoroutinefunction(view):

        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return fill(await view(*args, **kwargs), args)

    else:

        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return fill(view(*args, **kwargs), args)

    return wrapper


def fill(response: Any, args: tuple[Any, ...]) -> Any:
    """A response for a view that has accepted a WebSocket and returns none; in ``args`` the request
    comes first, or second in a method.
    """
    if response is None:
        for arg in args[:2]:
            websocket = getattr(arg, "META", {}).get(MARK)
            if websocket is not None and websocket.accepted:
                return HttpResponse(status=101)
    return response


def copy_decorator(view: Any) -> Any:
    """A copy of what decorates a view, around one that answers; ``None`` if nothing does."""
    if isinstance(view, partial):  # of a method: method_decorator()
        method = copy_decorator(view.func)
        return None if method is None else partial(method, *view.args, **view.keywords)
    if isinstance(view, MethodType) and isinstance(view.__self__, View):
        return copy_method(view)
    if not isinstance(view, FunctionType) or view.__closure__ is None:
        return None
    cells = [copy_cell(cell, view) for cell in view.__closure__]
    if all(new is old for new, old in zip(cells, view.__closure__, strict=True)):
        return None
    copied = FunctionType(
        view.__code__, view.__globals__, view.__name__, view.__defaults__, tuple(cells)
    )
    copied.__kwdefaults__ = view.__kwdefaults__
    copied.__qualname__ = view.__qualname__
    copied.__dict__.update(view.__dict__)
    return copied


def copy_method(method: Any) -> Any:
    """``copy_decorator`` for a method of a class-based view, which is made for each request."""
    instance, function = method.__self__, method.__func__
    dispatches = function.__name__ == "dispatch"  # which calls another one
    if not (dispatches and is_decorated(type(instance), function)):
        if copy_decorator(function) is None:
            return None
    elif hasattr(instance, "get"):
        instance.get = answering_method(instance, "get")
    return MethodType(answer(function), instance)


def copy_cell(cell: CellType, view: Any) -> CellType:
    """A variable of a decorator: another one if it is the view, or the class of the view."""
    try:
        content: Any = cell.cell_contents
    except ValueError:  # not bound yet
        return cell
    if content is None:
        return cell
    view_class: Any = getattr(view, "view_class", None)
    if content is view_class:  # as_view()
        if not is_decorated(view_class, view_class.dispatch):
            return cell
        make: Any = partial(make_view, view_class)
        make.__name__ = view_class.__name__  # for as_view()'s own errors
        return CellType(make)
    if content is getattr(view, "__wrapped__", None) or is_of_api_view(view):
        return CellType(answer(content))
    return cell


def is_of_api_view(view: Any) -> bool:
    """Whether it is the method in which Django REST framework calls the function of a view."""
    freevars: tuple[str, ...] = view.__code__.co_freevars
    return view.__module__ == "rest_framework.decorators" and freevars == ("func",)


def is_decorated(view_class: Any, dispatch: Any) -> bool:
    """Whether somebody decorates the methods of a class, or dispatches in a way of his own.

    Args:
        dispatch: the method of the class, or what is below our decorator of that.
    """
    get = getattr(view_class, "get", None)
    return dispatch is not View.dispatch or copy_decorator(get) is not None


def make_view(view_class: Any, **initkwargs: Any) -> Any:
    """An instance whose methods answer."""
    instance = view_class(**initkwargs)
    for name in ("dispatch", "get"):
        if hasattr(instance, name):
            setattr(instance, name, answering_method(instance, name))
    return instance


def answering_method(instance: Any, name: str) -> Any:
    """The method of that name, which answers."""
    return MethodType(cached_answer(getattr(type(instance), name)), instance)


#: ``answer`` for the functions of a class, of which there are not many.
cached_answer = cache(answer)
