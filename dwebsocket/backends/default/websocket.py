"""The WebSocket over a WSGI server's socket."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from django.http import HttpRequest

from dwebsocket.backends.default.servers import SocketTakeover
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.transports import Transport, create_transport

EMPTY = BytesIO()

__all__ = ["DefaultWebSocket"]


class DefaultWebSocket(SocketWebSocket):
    """Takes the socket when it is accepted, and leaves the server content when it is done."""

    __slots__ = ("_request", "_stop_signal", "_takeover")

    def __init__(self, request: HttpRequest, takeover: SocketTakeover) -> None:
        super().__init__(request)
        self._request = request
        self._takeover = takeover
        self._stop_signal: Callable[[], bool] | None = None

    def take_transport(self) -> tuple[Transport, bytes]:
        early = self._takeover.take_early_bytes()
        self._stop_signal = self._takeover.find_stop_signal()
        return create_transport(self._takeover.get_socket()), early

    def leave_server(self, run: Callable[[], None]) -> bool:
        if not super().leave_server(run):
            return False
        # The handshake has no body: let go of the stream, and with it of the server's own objects.
        self._request.META["wsgi.input"] = self._request._stream = EMPTY
        return True

    def is_stopping(self) -> bool:
        return self._stop_signal is not None and self._stop_signal()

    def finish(self) -> None:
        super().finish()
        self._takeover.finish_response()
