"""Werkzeug's development server: runserver_plus of django-extensions."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar

from .base import BufferedTakeover, as_reader

__all__ = ["WerkzeugTakeover"]


class WerkzeugTakeover(BufferedTakeover):
    """Werkzeug puts its socket into the environ beside the reader. It says ``Connection: close`` in
    each response.
    """

    title: ClassVar[str] = "Werkzeug (runserver_plus)"
    runner: ClassVar[tuple[str, str, str] | None] = (
        "werkzeug.serving",
        "WSGIRequestHandler",
        "environ",
    )

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        return as_reader(environ.get("wsgi.input"))

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        return "werkzeug.socket" in environ and cls.find_reader(environ) is not None

    def get_socket(self) -> Any:
        return self.environ["werkzeug.socket"]
