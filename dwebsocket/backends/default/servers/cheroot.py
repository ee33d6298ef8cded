"""cheroot, the server of CherryPy."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, ClassVar

from dwebsocket.backends.frames import running_objects
from dwebsocket.transports import find_library

from .base import BufferedTakeover, as_reader

__all__ = ["CherootTakeover"]


class CherootTakeover(BufferedTakeover):
    """cheroot's reader is a subclass of BufferedReader; its bodies wrap it."""

    title: ClassVar[str] = "cheroot"
    few_threads: ClassVar[bool] = True
    runner: ClassVar[tuple[str, str, str] | None] = ("cheroot.wsgi", "Gateway", "env")

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        stream = environ.get("wsgi.input")
        if find_library(stream) != "cheroot":
            return None
        return as_reader(stream) or as_reader(getattr(stream, "rfile", None))

    @classmethod
    def get_reader(cls, runner: Any) -> Any:
        return runner.req.conn.rfile

    def expect_refusal(self) -> None:
        request = self.find_request()
        if request is not None:
            request.close_connection = True
            request.outheaders = [(b"Connection", b"close")]
            # Not in chunks, the last of which comes behind the hang-up.
            request.response_protocol = "HTTP/1.0"

    def finish_response(self) -> None:
        # It would fail to write the headers, and not close the response then.
        request = self.find_request()
        if request is not None:
            request.send_headers = write_nothing
            request.close_connection = True

    def find_request(self) -> Any:
        """The server's own object, in whatever thread it runs; ``None`` if it does no more."""
        from cheroot.server import HTTPRequest

        requests = running_objects(HTTPRequest)
        return next((one for one in requests if one.conn.rfile is self.reader), None)


def write_nothing() -> None:
    """Stands in the place of what writes the headers of a response."""
