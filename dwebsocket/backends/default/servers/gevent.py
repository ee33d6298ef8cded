"""gevent.pywsgi."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar

from .base import BufferedTakeover, as_reader

__all__ = ["GeventTakeover"]


class GeventTakeover(BufferedTakeover):
    """pywsgi passes the bare reader for ``Upgrade: websocket``, and wraps it otherwise."""

    title: ClassVar[str] = "gevent.pywsgi"

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        stream = environ.get("wsgi.input")
        reader = as_reader(stream) or as_reader(getattr(stream, "rfile", None))
        sock = getattr(reader.raw, "_sock", None) if reader is not None else None
        return reader if type(sock).__module__.partition(".")[0] == "gevent" else None
