"""A WebSocket whose connection goes on when the server's request has ended."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from django.http import HttpRequest

from dwebsocket.backends import view_threads
from dwebsocket.backends.driven import Listener
from dwebsocket.backends.sockets.websocket import SocketWebSocket

__all__ = ["LeavingWebSocket"]

EMPTY = BytesIO()

#: What a server says about itself in the environ. Its objects hold its parser, its response, ….
PLAIN = (str, bytes, int, float, tuple, list, dict, type(None))


def is_of_server(key: str, value: object) -> bool:
    plain = isinstance(value, PLAIN) or key[:1].isupper() or key.startswith("dwebsocket.")
    return not plain


class LeavingWebSocket(SocketWebSocket):
    """Handlers leave where that can be done; views, where the server's thread is worth more than
    one of ours, or its greenlet costs more memory.
    """

    __slots__ = ("_place", "_request")

    _place: view_threads.Place | None  # reserved, until the view has left

    # Until the server's request has ended, for it holds objects of the server.
    _request: HttpRequest | None

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._place = None
        self._request = request

    # What a backend says

    @property
    def takes_thread(self) -> bool:
        """Whether a view leaves for a thread of ours."""
        raise NotImplementedError

    @property
    def may_leave(self) -> bool:
        """Whether the server lets the connection go on by itself."""
        raise NotImplementedError

    # What it does

    def check_view_room(self, accepts: bool) -> None:
        if accepts and self.takes_thread:
            self._place = view_threads.take_place()

    def stay(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.give_back()

    def leave_server(self, run: Callable[[], None]) -> bool:
        place = self._place
        may_leave = self._accepted and self.may_leave
        if not (may_leave and (place or self.transport.frees_memory) and self.transport.detach()):
            self.stay()
            return False
        self.let_go()
        self._watch.start_anew()
        if place is not None:
            view_threads.start_view(place, self.transport.start, run)
        else:
            self.transport.start(run, "dwebsocket-view")
        return True

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        start = super().drive(listener) if self.may_leave else None
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
