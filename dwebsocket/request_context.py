"""What surrounds a request, for calls in other threads and greenlets after it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import tzinfo
from typing import NamedTuple

from django.conf import settings
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

__all__ = ["RequestContext"]


class Active(NamedTuple):
    """What Django keeps for each thread (asgiref's ``Local``), so that a context does not carry it
    into another one.
    """

    language: str | None
    time_zone: tzinfo
    urlconf: str | None
    script_prefix: str


class RequestContext:
    """The context in which it is made; nothing that runs in it later changes it."""

    __slots__ = ("_active", "_context", "_home")

    def __init__(self) -> None:
        active = find_active()
        self._context = copy_context()
        self._active = None if active == find_default() else active
        self._home = threading.get_ident()

    def enter(self) -> Context:
        """A copy for this thread to run something in, as if it were called in the request."""
        if self._active is not None and self._home != threading.get_ident():
            self._context = self._context.copy()
            self._context.run(activate, self._active)
            self._home = threading.get_ident()
        return self._context.copy()

    def run(self, function: Callable[[], None]) -> None:
        """Call ``function`` in it."""
        self.enter().run(function)


def find_active() -> Active:
    return Active(
        translation.get_language(),
        timezone.get_current_timezone(),
        get_urlconf(),
        get_script_prefix(),
    )


def find_default() -> Active:
    """What is active in a thread in which nothing has been activated."""
    language = settings.LANGUAGE_CODE if settings.USE_I18N else translation.get_language()
    return Active(language, timezone.get_default_timezone(), None, "/")


def activate(active: Active) -> None:
    if active.language is None:
        translation.deactivate_all()
    else:
        translation.activate(active.language)
    timezone.activate(active.time_zone)
    set_urlconf(active.urlconf)
    set_script_prefix(active.script_prefix)
