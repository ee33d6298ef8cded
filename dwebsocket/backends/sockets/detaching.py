"""Where the code that uses a WebSocket over a socket goes on: its connection can outlive the
server's request, once its descriptor is ours alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from dwebsocket.backends.beside import BESIDE, Beside, drop_server
from dwebsocket.backends.listening import Listener
from dwebsocket.backends.loop_thread import LoopThread
from dwebsocket.backends.runner import Owner, Run, Runner, Use
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running.coroutines import run_in_loop
from dwebsocket.transports import Transport
from dwebsocket.transports.detach import ABOVE_SELECT

__all__ = ["DetachedRunner", "SocketOwner", "create_runner"]

NO_LOOP = (
    "WebSockets cannot work here: an async view or handler needs a thread for its event loop, and "
    "with gevent and eventlet there is one thread for all. Write 'def' instead of 'async def', or "
    "take an ASGI server, or one with threads."
)


class SocketOwner(Owner, Protocol):
    """What these know of their WebSocket."""

    _transport: Transport

    def _deregister(self, beside: Beside | None = None) -> None: ...
    def _attach_driver(self, listener: Listener) -> Callable[[], None]: ...
    def close_connection(self, code: int, reason: str, timeout: float) -> None: ...
    def _finish(self) -> None: ...
    async def _run_watched(self, run: Run) -> None: ...


class DetachedRunner(Runner):
    """Takes the connection away from the server, where its transport can do that."""

    __slots__ = ("_detached", "_owner", "_request")

    #: Whether there may be very many such connections.
    many = False

    def __init__(self, owner: SocketOwner, request: HttpRequest) -> None:
        self._owner = owner
        self._request = request  # it holds objects of the server
        self._detached = False

    def detach(self, transport: Transport) -> None:
        """Reserve what is needed when the server's request ends, and take the connection away from
        the server. The last thing before the 101.

        Raises:
            NoRoom: there is no further thread, or none of the descriptors of its event loop.
            OSError: there is no further descriptor.
        """
        if transport.detaches:
            many = self.many or transport.fileno() > ABOVE_SELECT // 2
            transport.detach(ABOVE_SELECT if many else 0)
            self._detached = True

    def _drop_request(self) -> None:
        """Keep nothing of the server's request, which ends now, and forget this runner."""
        self._owner._runner = None
        self._owner._deregister(self._request.META.get(BESIDE))
        drop_server(self._request)


class ViewRunner(DetachedRunner):
    """Runs a view in the thread or greenlet in which its request runs beside the server."""

    __slots__ = ()

    def start_view(self) -> None:
        if self._owner.accepted:
            self._end_server_request()
        else:
            self._owner._on_accept = self._end_server_request

    def _end_server_request(self) -> None:
        if self._detached:
            beside: Beside = self._request.META[BESIDE]
            self._drop_request()
            beside.leave()


class LoopRunner(DetachedRunner):
    """Runs a coroutine in an event loop of its own, in a thread of ours."""

    __slots__ = ("_thread",)

    _thread: LoopThread | None  # waits for the coroutine

    def __init__(self, owner: SocketOwner, request: HttpRequest) -> None:
        super().__init__(owner, request)
        self._thread = None

    def detach(self, transport: Transport) -> None:
        if transport.detaches:
            self._thread = LoopThread()
        super().detach(transport)

    def cancel(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.cancel()

    def start_coroutine(self, run: Run) -> bool:
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        self._drop_request()
        thread.run(partial(run_in_thread, self._owner, run))
        return True

    async def astart_coroutine(self, run: Run) -> bool:
        # In the thread of the request, for some servers want to be told in there.
        return await sync_to_async(self.start_coroutine)(run)


class HandlerRunner(DetachedRunner):
    """Has a loop read on behalf of a handler."""

    __slots__ = ()

    many = True

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        if not self._detached:
            return None
        start = self._owner._attach_driver(listener)
        self._drop_request()
        return start


def run_in_thread(owner: SocketOwner, run: Run, loop: asyncio.AbstractEventLoop) -> None:
    """Run a coroutine in an event loop of the running thread."""
    try:
        run_in_loop(partial(owner._run_watched, run), loop)
    except BaseException:
        if owner._transport.fileno() >= 0:  # nothing has run
            owner.close_connection(CloseCode.INTERNAL_ERROR, "", timeout=0)
            owner._finish()
        raise


def create_runner(
    owner: SocketOwner, takeover: Takeover, request: HttpRequest, use: Use, *, accepts: bool
) -> Runner | None:
    """As ``BaseWebSocket._create_runner``: handlers go on beside the server where that can be done;
    views, where their request runs there.
    """
    if use is Use.VIEW:
        beside: Beside | None = request.META.get(BESIDE)
        if beside is None:
            return None
        beside.check_room()
        return ViewRunner(owner, request) if takeover.lets_go else None
    if use is Use.HANDLER:
        return HandlerRunner(owner, request) if takeover.lets_go else None
    if takeover.waits_in_greenlets:
        raise SocketTakeoverError(NO_LOOP)
    detaches = accepts and takeover.lets_go and conf.VIEW_THREADS > 0
    return LoopRunner(owner, request) if detaches else None
