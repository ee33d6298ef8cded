"""The WebSocket over a WSGI server's socket."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from dwebsocket.backends.default.servers import SocketTakeover
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.transports import Transport, create_transport, waits_in_greenlets

__all__ = ["DefaultWebSocket"]


class DefaultWebSocket(SocketWebSocket):
    """Takes the socket when it is accepted, and leaves the server content when it is done."""

    __slots__ = ("_stop_signal", "_takeover")

    _takeover: SocketTakeover | None  # until the server's request has ended

    def __init__(self, request: HttpRequest, takeover: SocketTakeover) -> None:
        super().__init__(request)
        self._takeover = takeover
        self._stop_signal: Callable[[], int | None] | None = None

    def take_transport(self) -> tuple[Transport, bytes]:
        takeover = self._takeover
        assert takeover is not None
        early = takeover.take_early_bytes()
        self._stop_signal = takeover.find_stop_signal()
        return create_transport(takeover.get_socket()), early

    @property
    def may_detach(self) -> bool:
        return self._takeover is not None and self._takeover.lets_go

    @property
    def waits_in_greenlets(self) -> bool:
        return self._takeover is not None and waits_in_greenlets(self._takeover.get_socket())

    def deregister(self) -> None:
        if self._takeover is not None:
            self._takeover.finish_response()
            self._takeover = None

    def get_stop_code(self) -> int | None:
        return None if self._stop_signal is None else self._stop_signal()

    def finish(self) -> None:
        super().finish()
        if self._takeover is not None:
            self._takeover.finish_response()
