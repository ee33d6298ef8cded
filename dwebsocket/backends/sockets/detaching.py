"""A WebSocket whose connection can go on when the server's request has ended."""

from __future__ import annotations

from django.http import HttpRequest

from dwebsocket.backends.beside import BESIDE, Beside
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.backends.sockets.coroutines import CoroutineWebSocket
from dwebsocket.backends.sockets.runners import (
    DetachedRunner,
    HandlerRunner,
    LoopRunner,
    ViewRunner,
)
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError

__all__ = ["DetachingWebSocket"]


class DetachingWebSocket(CoroutineWebSocket):
    """Handlers go on beside the server where that can be done; views, where their request runs
    there.
    """

    __slots__ = ()

    # What a backend says

    @property
    def may_detach(self) -> bool:
        """Whether the server lets the connection go on by itself."""
        raise NotImplementedError

    @property
    def waits_in_greenlets(self) -> bool:
        """Whether all that wait for connections run in one thread."""
        raise NotImplementedError

    def deregister(self) -> None:
        """Keep nothing of the server's: its request is about to end."""

    # What it does

    def create_runner(self, request: HttpRequest, use: Use, accepts: bool) -> Runner | None:
        if use is Use.VIEW:
            return self._create_view_runner(request)
        if use is Use.HANDLER:
            return HandlerRunner(self, request) if self.may_detach else None
        if self.waits_in_greenlets:
            raise SocketTakeoverError(
                "WebSockets cannot work here: an async view or handler needs a thread for its "
                "event loop, and with gevent and eventlet there is one thread for all. Write "
                "'def' instead of 'async def', or take an ASGI server, or one with threads."
            )
        detaches = accepts and self.may_detach and conf.VIEW_THREADS > 0
        return LoopRunner(self, request) if detaches else None

    def _create_view_runner(self, request: HttpRequest) -> ViewRunner | None:
        beside: Beside | None = request.META.get(BESIDE)
        if beside is None:
            return None
        beside.check_room()
        return ViewRunner(self, request, beside) if self.may_detach else None

    def detach(self) -> None:
        if isinstance(self.runner, DetachedRunner):
            self.runner.detach(self.transport)
