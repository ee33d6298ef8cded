"""wsgiref, Django's runserver and LiveServerTestCase."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar
from wsgiref.handlers import BaseHandler
from wsgiref.headers import Headers

from dwebsocket.backends.frames import running_objects

from .base import BufferedTakeover, as_reader

__all__ = ["WsgirefTakeover"]

logger = logging.getLogger("django.server")


class ClosingHeaders(Headers):
    """Headers with the one that no application may add here."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        super().__init__([*headers, ("Connection", "close")])


class WsgirefTakeover(BufferedTakeover):
    """wsgiref passes its reader on; Django's development server wraps it in a LimitedStream."""

    title: ClassVar[str] = "wsgiref, Django's runserver"
    runner: ClassVar[tuple[str, str, str] | None] = ("wsgiref.handlers", "BaseHandler", "environ")

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        stream = environ.get("wsgi.input")
        # LimitedStream keeps no reference to the reader but its bound method.
        return as_reader(stream) or as_reader(
            getattr(getattr(stream, "_read", None), "__self__", None)
        )

    @classmethod
    def get_reader(cls, runner: Any) -> Any:
        return getattr(getattr(runner, "request_handler", None), "rfile", None)

    def expect_refusal(self) -> None:
        handler = self._find_handler()
        if handler is not None:
            handler.headers_class = ClosingHeaders

    def find_request_log(self) -> Callable[[str, int, str], None] | None:
        handler: Any = getattr(self._find_handler(), "request_handler", None)
        server = sys.modules.get("django.core.servers.basehttp")
        # Django's; not one that was made quiet, as that of LiveServerTestCase.
        if server is None or type(handler).log_message is not server.WSGIRequestHandler.log_message:
            return None
        return partial(show, handler)

    def _find_handler(self) -> Any:
        """What runs the request."""
        for handler in running_objects(BaseHandler):
            request_handler = getattr(handler, "request_handler", None)
            if getattr(request_handler, "rfile", None) is self.reader:
                return handler
        return None


def show(handler: Any, path: str, status: int, text: str) -> None:
    """Show a line among those of runserver's requests."""
    extra = {
        "request": handler.request,
        "server_time": handler.log_date_time_string(),
        "status_code": status,
    }
    logger.info('"WEBSOCKET %s" %s', path, text, extra=extra)
