"""gevent.pywsgi."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar

from dwebsocket.backends.frames import running_objects
from dwebsocket.transports import find_library

from .base import BufferedTakeover, as_reader

__all__ = ["GeventTakeover"]


class GeventTakeover(BufferedTakeover):
    """pywsgi passes the bare reader for ``Upgrade: websocket``, and wraps it otherwise."""

    title: ClassVar[str] = "gevent.pywsgi"
    runner: ClassVar[tuple[str, str, str] | None] = ("gevent.pywsgi", "WSGIHandler", "environ")

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        stream = environ.get("wsgi.input")
        reader = as_reader(stream) or as_reader(getattr(stream, "rfile", None))
        sock = getattr(reader.raw, "_sock", None) if reader is not None else None
        return reader if find_library(sock) == "gevent" else None

    def expect_refusal(self) -> None:
        from gevent.pywsgi import WSGIHandler

        for handler in running_objects(WSGIHandler):
            if handler.rfile is self.reader:
                # It tells clients of HTTP/1.0 that it closes, and no others.
                handler.request_version = "HTTP/1.0"
                handler.close_connection = True
                return
