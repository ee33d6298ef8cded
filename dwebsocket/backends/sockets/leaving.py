"""A WebSocket whose connection goes on when the server's request has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

from django.http import HttpRequest

from dwebsocket.backends import view_threads
from dwebsocket.backends.beside import BESIDE, Beside
from dwebsocket.backends.driven import Listener
from dwebsocket.backends.sockets.websocket import SocketWebSocket
from dwebsocket.transports.detach import ABOVE_SELECT

__all__ = ["LeavingWebSocket"]

EMPTY = BytesIO()

#: What a server says about itself in the environ. Its objects hold its parser, its response, ….
PLAIN = (str, bytes, int, float, tuple, list, dict, type(None))


def is_of_server(key: str, value: object) -> bool:
    plain = isinstance(value, PLAIN) or key[:1].isupper() or key.startswith("dwebsocket.")
    return not plain


class LeavingWebSocket(SocketWebSocket):
    """Handlers leave where that can be done; views, where their request runs beside the server."""

    __slots__ = (
        "_accepts",
        "_beside",
        "_is_driven",
        "_leaves",
        "_needs_thread",
        "_request",
        "_thread",
    )

    _accepts: bool  # the view does that
    _beside: Beside | None  # a view runs there

    _is_driven: bool  # a listener is going to have it
    _leaves: bool  # the connection goes on when the request has ended
    _needs_thread: bool  # so does its coroutine, in a thread of ours
    _thread: view_threads.ViewThread | None  # waits for the coroutine

    # Until the server's request has ended, for it holds objects of the server.
    _request: HttpRequest | None

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._accepts = self._is_driven = self._leaves = self._needs_thread = False
        self._beside = self._thread = None
        self._request = request

    # What a backend says

    @property
    def may_leave(self) -> bool:
        """Whether the server lets the connection go on by itself."""
        raise NotImplementedError

    # What it does

    def check_view_room(self, accepts: bool) -> None:
        assert self._request is not None
        beside: Beside | None = self._request.META.get(BESIDE)
        if beside is not None:
            beside.check_room()
            self._beside, self._leaves, self._accepts = beside, self.may_leave, not accepts

    def expect_drive(self) -> None:
        self._leaves = self._is_driven = self.may_leave

    def detach(self) -> None:
        transport = self.transport
        self._leaves = self._leaves and transport.detaches
        if self._leaves:
            if self._needs_thread:
                self._thread = view_threads.start_thread()
            many = self._is_driven or transport.fileno() > ABOVE_SELECT // 2
            transport.detach(ABOVE_SELECT if many else 0)

    def stay(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.dismiss()

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().accept(subprotocol, headers)
        if self._accepts:
            self.leave_server()

    def leave_server(self) -> None:
        if self._leaves and self.accepted and self._beside is not None:
            self.let_go()
            self._beside.leave()
            self._beside = None

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        start = super().drive(listener) if self._leaves else None
        if start is not None:
            self.let_go()
        return start

    def let_go(self) -> None:
        """The server's request ends now: keep nothing of it."""
        request, self._request = self._request, None
        if request is not None:
            # The server goes on with its own dictionary.
            meta = {key: item for key, item in request.META.items() if not is_of_server(key, item)}
            meta["wsgi.input"] = request._stream = EMPTY  # the handshake has no body
            request.META = request.environ = meta  # type: ignore[attr-defined]
