"""gunicorn: the sync, gthread, gevent, gevent_pywsgi and (up to 25) eventlet workers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dwebsocket.backends.frames import running_objects
from dwebsocket.backends.gunicorn_worker import find_stop_signal

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
        return "gunicorn.socket" in environ

    def get_socket(self) -> Any:
        return self.environ["gunicorn.socket"]

    @property
    def _socket_kind(self) -> str:
        return type(self.get_socket()).__module__.partition(".")[0]

    def take_early_bytes(self) -> bytes:
        reader = self.environ["wsgi.input"].reader
        # A chunked body, which is refused, is read through the request.
        unreader = getattr(reader, "unreader", None) or reader.req.unreader
        early: bytes = unreader.buf.getvalue()
        unreader.buf = io.BytesIO()
        return early

    def expect_refusal(self) -> None:
        from gunicorn.http.wsgi import Response

        for response in running_objects(Response):
            if response.sock is self.get_socket():
                response.force_close()
                return

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

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return find_stop_signal()
