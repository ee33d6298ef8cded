"""The WebSocket over a WSGI server's socket."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from django.http import HttpRequest

from dwebsocket.backends import view_threads
from dwebsocket.backends.default.servers import SocketTakeover
from dwebsocket.backends.driver import Listener
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.conf import conf
from dwebsocket.transports import Transport, create_transport

__all__ = ["DefaultWebSocket"]

EMPTY = BytesIO()

#: What a server says about itself in the environ. Its objects hold its parser, its response, ….
PLAIN = (str, bytes, int, float, tuple, list, dict, type(None))


def is_of_server(key: str, value: object) -> bool:
    plain = isinstance(value, PLAIN) or key[:1].isupper() or key.startswith("dwebsocket.")
    return not plain


class DefaultWebSocket(SocketWebSocket):
    """Takes the socket when it is accepted, and leaves the server content when it is done."""

    __slots__ = ("_request", "_stop_signal", "_takeover")

    # Both until the server's request has ended, for they hold objects of the server.
    _request: HttpRequest | None
    _takeover: SocketTakeover | None

    def __init__(self, request: HttpRequest, takeover: SocketTakeover) -> None:
        super().__init__(request)
        self._request = request
        self._takeover = takeover
        self._stop_signal: Callable[[], int | None] | None = None

    def take_transport(self) -> tuple[Transport, bytes]:
        takeover = self._takeover
        assert takeover is not None
        early = takeover.take_early_bytes()
        self._stop_signal = takeover.find_stop_signal()
        return create_transport(takeover.get_socket()), early

    @property
    def _takes_thread(self) -> bool:
        return self._takeover is not None and self._takeover.few_threads and conf.VIEW_THREADS > 0

    @property
    def _may_leave(self) -> bool:
        return self._accepted and self._takeover is not None and self._takeover.lets_go

    def check_view_room(self) -> None:
        if self._takes_thread:
            view_threads.check_room()

    def leave_server(self, run: Callable[[], None]) -> bool:
        takes_thread = self._takes_thread
        if not self._may_leave or not (takes_thread or self.transport.frees_memory):
            return False
        if not self.transport.detach():
            return False
        self._let_go()
        self._watch.start_anew()
        if takes_thread:
            view_threads.start_counted(self.transport.start, run)
        else:
            self.transport.start(run, "dwebsocket-view")
        return True

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        start = super().drive(listener) if self._may_leave else None
        if start is not None:
            self._let_go()
        return start

    def _let_go(self) -> None:
        """The server's request ends now: keep nothing of it."""
        if self._takeover is None or self._request is None:
            return
        self._takeover.finish_response()
        request = self._request
        # The server goes on with its own dictionary.
        meta = {key: value for key, value in request.META.items() if not is_of_server(key, value)}
        meta["wsgi.input"] = request._stream = EMPTY  # the handshake has no body
        request.META = request.environ = meta  # type: ignore[attr-defined]
        self._request = self._takeover = None

    def get_stop_code(self) -> int | None:
        return None if self._stop_signal is None else self._stop_signal()

    def finish(self) -> None:
        super().finish()
        if self._takeover is not None:
            self._takeover.finish_response()
