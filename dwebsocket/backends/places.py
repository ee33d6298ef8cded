"""Where what uses a session goes on, whose carriers come and go: the request that opens it is
answered, and ends for the server, while its view goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends.beside import BESIDE, Beside, drop_server
from dwebsocket.backends.calls import callers
from dwebsocket.backends.loop_thread import LoopThread
from dwebsocket.backends.runner import Run
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.running.coroutines import run_in_loop
from dwebsocket.running.threads import NoThread
from dwebsocket.supervisor import log_failure
from dwebsocket.transports import Transport
from dwebsocket.transports.base import Lock

__all__ = ["BesidePlace", "Place"]

NO_LOOP = (
    "An async view or handler cannot work here: it needs a thread for its event loop, and with "
    "gevent and eventlet there is one thread for all. Write 'def' instead of 'async def', or take "
    "an ASGI server, or one with threads."
)

NO_THREAD = (
    "A WebSocket that goes on without its connection cannot work here: its view has no thread of "
    "its own."
)


class Place(Protocol):
    """What the server's backend knows of that."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The server's event loop, if it has one."""
        ...

    @property
    def calls_anew(self) -> bool:
        """Whether each call of a handler runs in a greenlet of its own."""
        ...

    def create_lock(self) -> Lock:
        """A lock that lets others go on while one waits for it."""
        ...

    @property
    def start(self) -> Callable[..., Any]:
        """Runs a function, which has a name, beside the server, for long; one object for all that
        wait in the same way.
        """
        ...

    @property
    def sleep(self) -> Callable[[float], None]:
        """How what that has started waits."""
        ...

    def start_call(self, work: Callable[[], None]) -> None:
        """Have a thread or greenlet make a call of a handler, soon."""

    def keep_view(self) -> None:
        """Reserve the running thread for a view, until its request has ended.

        Raises:
            NoRoom: no further view may have one.
            SocketTakeoverError: the request runs in the server's own.
        """

    def answer(self, response: HttpResponse | None) -> None:
        """Let the server's request end with this response, while the view goes on."""

    def reserve_coroutine(self) -> None:
        """Reserve what a coroutine needs.

        Raises:
            NoRoom: there is no further thread for one.
            SocketTakeoverError: no coroutine can work here.
        """

    def start_coroutine(self, run: Run) -> None:
        """Run a coroutine for which that is reserved, in the caller's context."""

    def cancel(self) -> None:
        """Give back what is reserved and has not been used. Idempotent."""

    def forget_request(self) -> None:
        """The server's request ends, which is nobody's business any more."""


class BesidePlace:
    """Beside a WSGI server.

    Args:
        transport_class: says how its requests wait.
    """

    __slots__ = ("_request", "_start_call", "_thread", "_transport_class")

    loop = None

    _thread: LoopThread | None  # waits for a coroutine

    def __init__(self, request: HttpRequest, transport_class: type[Transport]) -> None:
        self._request: HttpRequest | None = request
        self._transport_class = transport_class
        # What comes may come in another thread than that of the greenlets.
        self._start_call = transport_class.find_starter() if self.calls_anew else None
        self._thread = None

    @property
    def calls_anew(self) -> bool:
        """See ``Place``; so have the rest."""
        return self._transport_class.calls_anew

    def create_lock(self) -> Lock:
        """See ``Place``."""
        return self._transport_class.create_lock()

    @property
    def start(self) -> Callable[..., Any]:
        """See ``Place``."""
        return self._transport_class.start

    @property
    def sleep(self) -> Callable[[float], None]:
        """See ``Place``."""
        return self._transport_class.sleep

    def start_call(self, work: Callable[[], None]) -> None:
        """See ``Place``; where the system has no thread the caller makes it."""
        try:
            if self._start_call is not None:
                self._start_call(partial(call, work), "dwebsocket-handler")
            else:
                callers.start(work)
        except NoThread:
            call(work)

    def keep_view(self) -> None:
        """See ``Place``."""
        assert self._request is not None
        beside: Beside | None = self._request.META.get(BESIDE)
        if beside is None:
            raise SocketTakeoverError(NO_THREAD)
        beside.check_room()

    def answer(self, response: HttpResponse | None) -> None:
        """See ``Place``."""
        assert self._request is not None
        beside: Beside = self._request.META[BESIDE]
        self.forget_request()
        beside.leave(response)

    def reserve_coroutine(self) -> None:
        """See ``Place``."""
        if self.calls_anew:
            raise SocketTakeoverError(NO_LOOP)
        self._thread = LoopThread()

    def start_coroutine(self, run: Run) -> None:
        """See ``Place``."""
        thread, self._thread = self._thread, None
        assert thread is not None
        thread.run(partial(run_in_loop, run))

    def cancel(self) -> None:
        """See ``Place``."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.cancel()

    def forget_request(self) -> None:
        """See ``Place``."""
        request, self._request = self._request, None
        if request is not None:
            drop_server(request)


def call(work: Callable[[], None]) -> None:
    """Call it; what it raises is logged, as a thread of ours would do."""
    try:
        work()
    except Exception:
        log_failure("A WebSocket failed")
