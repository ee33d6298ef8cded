"""Where what uses a session goes on: never in the server's own thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from django.http import HttpResponse

from dwebsocket.backends import coroutine_end
from dwebsocket.backends.coroutine_end import wait_for_task
from dwebsocket.backends.listening import Listener
from dwebsocket.backends.places import Place
from dwebsocket.backends.runner import Owner, Run, Runner, Use
from dwebsocket.running.event_loop import call_in_loop, set_done

__all__ = ["SessionOwner", "create_runner"]


class SessionOwner(Owner, coroutine_end.Owner, Protocol):
    """The WebSocket."""

    #: Ends the wait for the end of the session, in the loop of a coroutine.
    _tell_coroutine: Callable[[], object] | None

    @property
    def close_code(self) -> int | None: ...
    def _take_response(self) -> HttpResponse | None: ...
    def _attach_listener(self, listener: Listener) -> Callable[[], None]: ...


class SessionRunner(Runner):
    """Knows its WebSocket, and the place beside the server."""

    __slots__ = ("_owner", "_place")

    def __init__(self, owner: SessionOwner, place: Place) -> None:
        self._owner = owner
        self._place = place


class ViewRunner(SessionRunner):
    """Runs a view in the thread or greenlet in which its request runs.

    Raises:
        NoRoom: no further view may have one.
    """

    __slots__ = ()

    def __init__(self, owner: SessionOwner, place: Place) -> None:
        super().__init__(owner, place)
        place.keep_view()

    def start_view(self) -> None:
        if self._owner.accepted:
            self._answer()
        else:
            self._owner._on_accept = self._answer

    def _answer(self) -> None:
        """Let the server's request end; the view stays in its own."""
        self._owner._runner = None
        self._place.answer(self._owner._take_response())


class CoroutineRunner(SessionRunner):
    """Runs a coroutine in the server's event loop, or in one of a thread of ours.

    Raises:
        NoRoom: there is no further thread.
        SocketTakeoverError: no coroutine can work here.
    """

    __slots__ = ()

    def __init__(self, owner: SessionOwner, place: Place) -> None:
        super().__init__(owner, place)
        place.reserve_coroutine()

    def cancel(self) -> None:
        self._place.cancel()

    def start_coroutine(self, run: Run) -> bool:
        self._owner._runner = None
        self._place.forget_request()
        self._place.start_coroutine(partial(run_watched, self._owner, run))
        return True

    async def astart_coroutine(self, run: Run) -> bool:
        if self._owner.accepted:
            return await sync_to_async(self.start_coroutine)(run)
        loop = asyncio.get_running_loop()
        decided = loop.create_future()
        decide = partial(call_in_loop, loop, set_done, decided)
        self._owner._on_accept = decide
        await sync_to_async(self.start_coroutine)(partial(run_and_tell, run, decide))
        await decided
        return True


class HandlerRunner(SessionRunner):
    """Has a handler called by what has come."""

    __slots__ = ()

    def drive(self, listener: Listener) -> Callable[[], None]:
        self._owner._runner = None
        self._place.forget_request()
        return self._owner._attach_listener(listener)


async def run_and_tell(run: Run, tell: Callable[[], Any]) -> None:
    """Run a coroutine that may end without having accepted."""
    try:
        await run()
    finally:
        tell()


async def run_watched(owner: SessionOwner, run: Run) -> None:
    """Run a coroutine that may wait for something else while its session ends."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    owner._tell_coroutine = partial(call_in_loop, loop, set_done, ended)
    task = owner._task = asyncio.ensure_future(run())
    if owner.close_code is not None:
        set_done(ended)
    try:
        await asyncio.wait([task, ended], return_when=asyncio.FIRST_COMPLETED)
        await wait_for_task(owner)
    except asyncio.CancelledError:  # the server ends
        task.cancel()
        await asyncio.wait([task])
        raise
    finally:
        owner._tell_coroutine = None
    if not task.cancelled():
        task.result()


#: For what uses a session, its runner.
RUNNERS: dict[Use, Callable[[SessionOwner, Place], SessionRunner]] = {
    Use.VIEW: ViewRunner,
    Use.COROUTINE: CoroutineRunner,
    Use.HANDLER: HandlerRunner,
}


def create_runner(owner: SessionOwner, place: Place, use: Use) -> Runner:
    """As ``BaseWebSocket._create_runner``."""
    return RUNNERS[use](owner, place)
