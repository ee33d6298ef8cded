"""HTML by Django's template engines, for pages that are sent it."""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as shorten
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.template import Template
from django.template.context import make_context
from django.template.loader import get_template, select_template

__all__ = ["AnyTemplate", "EngineTemplate", "arender_html", "render_html"]


class EngineTemplate(Protocol):
    """What ``django.template.loader.get_template()`` returns, of any engine."""

    def render(self, context: Any = None, request: HttpRequest | None = None) -> str:
        """The text that the template makes."""
        ...


#: The name of a template, names of which the first that exists is taken, or a template.
AnyTemplate = str | Sequence[str] | Template | EngineTemplate


def render_html(
    template: AnyTemplate,
    context: dict[str, Any] | None = None,
    request: HttpRequest | None = None,
    engine: str | None = None,
) -> str:
    """What a template makes of a context.

    Args:
        request: for the template's context processors and ``{% csrf_token %}``.
        engine: the ``NAME`` of the only engine that is asked for templates of that name.

    Raises:
        TemplateDoesNotExist: no engine has the template.
        TypeError: the context is no dictionary, or the template of another type.
        ValueError: ``engine``, for a template that is there already.
    """
    if context is not None and not isinstance(context, dict):
        raise TypeError(
            f"context is {shorten(context)}, it must be a dictionary, such as "
            '{"message": message}; a request is given as request='
        )
    if engine is not None and not isinstance(template, (str, list, tuple)):
        raise ValueError(f"engine is {engine!r}, but a template that is there has its own already")
    text: str
    if isinstance(template, Template):  # made of a string, perhaps: it wants a Context
        made = make_context(context, request, autoescape=template.engine.autoescape)
        text = template.render(made)
    else:
        text = find_template(template, engine).render(context, request)
    return text


def find_template(template: str | Sequence[str] | EngineTemplate, engine: str | None) -> Any:
    """The template of that name, or the first one that exists; a template is its own."""
    if isinstance(template, str):
        return get_template(template, using=engine)
    if isinstance(template, (list, tuple)):
        return select_template(template, using=engine)
    if not callable(getattr(template, "render", None)):
        raise TypeError(
            f"template is {shorten(template)}, it must be the name of a template, a list of names, "
            "or a template"
        )
    return template


#: ``render_html`` for async code, in the thread that makes the queries of the running coroutine.
arender_html = sync_to_async(render_html)
