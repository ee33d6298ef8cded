"""gunicorn: the sync, gthread, gevent, gevent_pywsgi and (up to 25) eventlet workers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dwebsocket.backends.frames import find_running
from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.transports import find_library

from .base import SocketTakeover
from .eventlet import EventletTakeover
from .gevent import GeventTakeover

__all__ = ["GunicornPywsgiTakeover", "GunicornTakeover"]


class GunicornTakeover(SocketTakeover):
    """gunicorn puts its socket into the environ; what it read ahead is in its ``Unreader``."""

    title: ClassVar[str] = "gunicorn (sync, gthread, gevent)"

    @property
    def few_threads(self) -> bool:  # type: ignore[override]
        return self._socket_kind in ("socket", "ssl")  # sync and gthread

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        stream = type(environ.get("wsgi.input"))
        return "gunicorn.socket" in environ and stream.__module__ == "gunicorn.http.body"

    @classmethod
    def find_input(cls, environ: Mapping[str, Any]) -> Any:
        response = find_response(environ) if "gunicorn.socket" in environ else None
        return None if response is None else response.req.body

    def get_socket(self) -> Any:
        return self.environ["gunicorn.socket"]

    @property
    def _socket_kind(self) -> str:
        return find_library(self.get_socket())

    def take_early_bytes(self) -> bytes:
        reader = self.environ["wsgi.input"].reader
        # A chunked body, which is refused, is read through the request.
        unreader = getattr(reader, "unreader", None) or reader.req.unreader
        early: bytes = unreader.buf.getvalue()
        unreader.buf = io.BytesIO()
        return early

    def expect_refusal(self) -> None:
        if response := find_response(self.environ):
            response.force_close()

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return find_stop_signal()

    def finish_response(self) -> None:
        if self._socket_kind == "eventlet":
            EventletTakeover(self.environ).finish_response()


class GunicornPywsgiTakeover(GeventTakeover):
    """The gevent_pywsgi worker serves through gevent.pywsgi, but ends as gunicorn does."""

    title: ClassVar[str] = "gunicorn (gevent_pywsgi)"

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        return "gunicorn.sock" in environ and super().matches(environ)

    @classmethod
    def find_input(cls, environ: Mapping[str, Any]) -> Any:
        return super().find_input(environ) if "gunicorn.sock" in environ else None

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return find_stop_signal()


def find_response(environ: Mapping[str, Any]) -> Any:
    """The response that gunicorn is going to write for this request."""
    sock = environ["gunicorn.socket"]
    return find_running("gunicorn.http.wsgi", "Response", lambda one: one.sock is sock)
