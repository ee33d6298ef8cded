"""wsgiref, Django's runserver and LiveServerTestCase."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar

from .base import BufferedTakeover, as_reader

__all__ = ["WsgirefTakeover"]


class WsgirefTakeover(BufferedTakeover):
    """wsgiref passes its reader on; Django's development server wraps it in a LimitedStream."""

    title: ClassVar[str] = "wsgiref, Django's runserver"

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        stream = environ.get("wsgi.input")
        # LimitedStream keeps no reference to the reader but its bound method.
        return as_reader(stream) or as_reader(
            getattr(getattr(stream, "_read", None), "__self__", None)
        )
