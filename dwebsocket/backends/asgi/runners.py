"""Where code goes on that uses a WebSocket of an ASGI server, whose call waits in ``serve``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from dwebsocket.backends.listening import Listener
from dwebsocket.backends.runner import Owner, Run, Runner, Use
from dwebsocket.running.context import capture_context
from dwebsocket.running.event_loop import set_done

from .connection import AsgiConnection

__all__ = ["RUNNERS", "HandlerRunner", "LoopRunner", "ThreadRunner"]


class Reader(Protocol):
    """Calls the server's ``receive``."""

    def start_pump(self) -> None:
        """Receive from now on, whether anybody asks or not. In the loop."""


class Serving(Protocol):
    """The server's call, which goes on with a coroutine that has left its request."""

    start_task: Callable[[], asyncio.Task[None]] | None

    def begin_task(self) -> asyncio.Task[None]:
        """Begin this coroutine. In the loop."""
        ...


class AsgiOwner(Owner, Protocol):
    """The WebSocket."""

    @property
    def _reader(self) -> Reader: ...
    @property
    def _serving(self) -> Serving: ...

    def _attach_listener(self, listener: Listener) -> Callable[[], None]:
        """Have threads tell ``listener`` what comes, once the returned function is called."""
        ...


class AsgiRunner(Runner):
    """Knows its WebSocket, and the server's event loop."""

    __slots__ = ("_connection", "_owner")

    def __init__(self, owner: AsgiOwner, connection: AsgiConnection) -> None:
        self._owner = owner
        self._connection = connection


class ThreadRunner(AsgiRunner):
    """Runs a view in the thread that answers the handshake.

    Raises:
        NoRoom: no further view may have such a thread.
    """

    __slots__ = ()

    def __init__(self, owner: AsgiOwner, connection: AsgiConnection) -> None:
        super().__init__(owner, connection)
        connection.answering.keep_thread()

    def start_view(self) -> None:
        if self._owner.accepted:
            self._end_handshake()
        else:
            self._owner._on_accept = self._end_handshake

    def _end_handshake(self) -> None:
        """Let the server's call go on; the view stays in its request."""
        self._owner._runner = None
        self._connection.call(self._owner._reader.start_pump)
        self._connection.answering.answer([])


class LoopRunner(AsgiRunner):
    """Runs a coroutine in a task of the server's event loop."""

    __slots__ = ()

    def start_coroutine(self, run: Run) -> bool:
        context, loop = capture_context(), self._connection.loop
        serving = self._owner._serving
        serving.start_task = lambda: context.copy_for_thread().run(loop.create_task, run())
        self._owner._runner = None
        return True

    async def astart_coroutine(self, run: Run) -> bool:
        owner = self._owner
        self.start_coroutine(run)
        if not owner.accepted:
            await self._wait_for_acceptance(owner._serving.begin_task())
        return True

    async def _wait_for_acceptance(self, view: asyncio.Task[None]) -> None:
        """Wait until the view accepts the handshake, or ends; cancelling this cancels it."""
        connection = self._connection
        decided = connection.loop.create_future()
        self._owner._on_accept = lambda: connection.call(set_done, decided)
        try:
            await asyncio.wait([view, decided], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            view.cancel()
            raise
        finally:
            self._owner._on_accept = None


class HandlerRunner(AsgiRunner):
    """Has the server's event loop read on behalf of a handler, which is called in threads."""

    __slots__ = ()

    def drive(self, listener: Listener) -> Callable[[], None]:
        self._owner._runner = None
        start = self._owner._attach_listener(listener)
        self._connection.call(self._owner._reader.start_pump)  # while it opens, too
        return start


#: For what uses a WebSocket, its runner.
RUNNERS: dict[Use, type[AsgiRunner]] = {
    Use.VIEW: ThreadRunner,
    Use.COROUTINE: LoopRunner,
    Use.HANDLER: HandlerRunner,
}
