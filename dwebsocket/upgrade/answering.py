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
    view_class: Any = type(instance)
    made = view_class
    if function.__name__ == "dispatch":  # which calls another one
        made = find_class(view_class, function)
    if made is view_class and copy_decorator(function) is None:
        return None
    instance.__class__ = made
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
        made = find_class(view_class, view_class.dispatch)
        return cell if made is view_class else CellType(made)
    if content is getattr(view, "__wrapped__", None) or is_of_api_view(view):
        return CellType(answer(content))
    return cell


def is_of_api_view(view: Any) -> bool:
    """Whether it is the method in which Django REST framework calls the function of a view."""
    freevars: tuple[str, ...] = view.__code__.co_freevars
    return view.__module__ == "rest_framework.decorators" and freevars == ("func",)


def find_class(view_class: Any, dispatch: Any) -> Any:
    """The class; if somebody decorates its methods, or dispatches in a way of his own, one whose
    methods answer.

    Args:
        dispatch: the method of the class, or what is below our decorator of that.
    """
    get = getattr(view_class, "get", None)
    if dispatch is View.dispatch and copy_decorator(get) is None:
        return view_class
    return answering_class(view_class, dispatch, get)


@cache
def answering_class(view_class: Any, dispatch: Any, get: Any) -> Any:
    """One derived from the class, whose methods answer."""
    names = {name: getattr(view_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    methods = {"dispatch": answer(dispatch), **({"get": answer(get)} if get else {})}
    return type(view_class.__name__, (view_class,), {**names, **methods})
