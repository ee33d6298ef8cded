"""Errors that come too late for a response: logged as a view's are, and sent as Django's signal
``got_request_exception``; and which are none.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.core.handlers.exception import response_for_exception
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.utils.log import log_response

from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.supervisor import log_failure
from dwebsocket.websocket import BaseWebSocket

__all__ = ["log_error", "report", "reporter", "show_error", "tells_end"]

#: ``BaseExceptionGroup``, from Python 3.11 on.
ExceptionGroups: Any = getattr(builtins, "BaseExceptionGroup", ())

logger = logging.getLogger("django.request")

#: Is told of the errors of what runs in its context: a test client, which raises them in its test.
reporter: ContextVar[Callable[[BaseException], None] | None] = ContextVar(
    "dwebsocket.reporter", default=None
)


def report(error: BaseException | None) -> None:
    """Tell the reporter, if there is one, what a view or a handler has ended with."""
    tell = reporter.get()
    if tell is not None and error is not None and not tells_end(error):
        tell(error)


def log_error(request: HttpRequest | None, path: str, error: BaseException) -> None:
    """Log an error while it is being handled. Never raises.

    Args:
        request: ``None`` when it has been given back; its path is left.
    """
    report(error)
    try:
        if request is None:
            got_request_exception.send(sender=None, request=None)
        else:
            response = response_for_exception(request, error)  # type: ignore[arg-type]
            # As Django's base handler does: Http404 has left no line yet.
            log_response("%s: %s", response.reason_phrase, path, response=response, request=request)
            return
    except Exception as further:  # a broken error page, a receiver's own error, a broken log
        if further is not error:  # DEBUG_PROPAGATE_EXCEPTIONS has Django raise it again
            log_failure("Logging the error of a WebSocket failed")
    shown = path.encode("unicode_escape").decode()  # a client's, in which it may have any character
    try:
        logger.error("Internal Server Error: %s", shown, exc_info=error)
    except Exception:
        log_failure("Logging the error of a WebSocket failed: Internal Server Error: %s", shown)


def show_error(websocket: BaseWebSocket, error: BaseException | None) -> None:
    """With ``DEBUG``, and never without, let a page show the error to whoever writes it; the
    connection is going to be closed. Never raises.
    """
    if error is None or not settings.DEBUG or tells_end(error):
        return
    try:
        websocket._show_error(error)
    except Exception:  # an error that cannot be shown
        log_failure("Showing the error of a WebSocket failed")


def tells_end(error: BaseException | None) -> bool:
    """Whether it is a ``ConnectionClosed``, or a group of nothing else, as of a ``TaskGroup``."""
    if isinstance(error, ExceptionGroups):
        return error.split(ConnectionClosed)[1] is None
    return isinstance(error, ConnectionClosed)
