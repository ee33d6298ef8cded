"""wsgiref, Django's runserver and LiveServerTestCase."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar
from wsgiref.handlers import BaseHandler
from wsgiref.headers import Headers

from dwebsocket.backends.frames import running_objects

from .base import BufferedTakeover, as_reader

__all__ = ["WsgirefTakeover"]


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
        for handler in running_objects(BaseHandler):
            request_handler = getattr(handler, "request_handler", None)
            if getattr(request_handler, "rfile", None) is self.reader:
                handler.headers_class = ClosingHeaders
                return
