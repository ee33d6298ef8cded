"""What surrounds a request, for calls in other threads and greenlets after it has ended."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context
from datetime import tzinfo
from typing import NamedTuple

from django.conf import settings
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

#: The variables in which asgiref keeps the values of a ``Local``, and the thread that coroutines of
#: a request have for plain calls.
LOCAL, THREAD = "asgiref.local", "thread_sensitive_context"

__all__ = ["NOTHING", "RequestContext", "capture_context"]


class Active(NamedTuple):
    """What Django keeps for each thread (asgiref's ``Local``), so that a context does not carry it
    into another one.
    """

    language: str | None
    time_zone: tzinfo
    urlconf: str | None
    script_prefix: str


class RequestContext:
    """A context that nothing that runs in it changes.

    Args:
        active: what Django keeps for the thread; ``None``: what every new thread has.
        context: context variables; ``None``: none.
    """

    __slots__ = ("_active", "_prepared")

    def __init__(self, active: Active | None, context: Context | None) -> None:
        self._active = active
        # The context, and the thread for which `_active` has been put into it. Together, since
        # several threads may run in copies at once.
        self._prepared = context, 0

    def copy_for_thread(self) -> Context:
        """A copy for this thread to run something in, as if it were called in the request."""
        prepared, home = self._prepared
        if self._active is None:  # usually; each message passes here
            return Context() if prepared is None else prepared.copy()
        context = Context() if prepared is None else prepared
        thread = threading.get_ident()
        if home != thread:
            context = context.copy()
            context.run(activate, self._active)
            self._prepared = context, thread
        return context.copy()


#: Shared by all that have nothing, as most handlers: an idle one holds a little less.
NOTHING = RequestContext(None, None)


def capture_context(*, plain: bool = False) -> RequestContext:
    """The context of the caller.

    Args:
        plain: whether it is for plain calls alone, as WSGI's requests have it: the thread that
            ASGI's have for coroutines ends with the request.
    """
    active, context = find_active(), copy_others({LOCAL, THREAD} if plain else {LOCAL})
    if active is None and context is None:
        return NOTHING
    return RequestContext(active, context)


def copy_others(left_out: set[str]) -> Context | None:
    """A copy of the running context without these variables; ``None`` if nothing else is there."""
    others = [(var, value) for var, value in copy_context().items() if var.name not in left_out]
    context = Context()
    for var, value in others:
        context.run(var.set, value)
    return context if others else None


def find_active() -> Active | None:
    """The language, time zone, URLconf and script prefix of the running thread; ``None`` if they
    are the defaults, which every new thread has.
    """
    active = Active(
        translation.get_language(),
        timezone.get_current_timezone(),
        get_urlconf(),
        get_script_prefix(),
    )
    language = settings.LANGUAGE_CODE if settings.USE_I18N else active.language
    urlconf = settings.ROOT_URLCONF if active.urlconf else None
    default = Active(language, timezone.get_default_timezone(), urlconf, "/")
    return None if active == default else active


def activate(active: Active) -> None:
    """Make this language, time zone, URLconf and script prefix those of the running thread."""
    if active.language is None:
        translation.deactivate_all()
    else:
        translation.activate(active.language)
    timezone.activate(active.time_zone)
    set_urlconf(active.urlconf)
    set_script_prefix(active.script_prefix)
