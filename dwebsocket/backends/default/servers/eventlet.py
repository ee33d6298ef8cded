"""eventlet.wsgi."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar

from dwebsocket.backends.frames import running_objects

from .base import BufferedTakeover, as_reader

__all__ = ["EventletTakeover"]


class EventletTakeover(BufferedTakeover):
    """eventlet documents ``eventlet.input`` and the way to its socket."""

    title: ClassVar[str] = "eventlet"

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        return as_reader(getattr(environ.get("eventlet.input"), "rfile", None))

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        return "eventlet.input" in environ and cls.find_reader(environ) is not None

    @property
    def http_version(self) -> str:
        return "HTTP/1.1"  # eventlet says HTTP/1.0 to every application, whatever the client says

    def get_socket(self) -> Any:
        return self.environ["eventlet.input"].get_socket()

    def expect_refusal(self) -> None:
        from eventlet.wsgi import HttpProtocol

        for handler in running_objects(HttpProtocol):
            if handler.rfile is self.reader:
                handler.close_connection = True
                return

    def finish_response(self) -> None:
        # Without this eventlet logs the failed write of the response with a traceback.
        from eventlet.wsgi import WSGI_LOCAL

        WSGI_LOCAL.already_handled = True
