"""The server's call for one WebSocket, once a view has accepted it. It returns when the connection
has ended, and what uses it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine

from dwebsocket.backends import live
from dwebsocket.backends.coroutine_end import cancel_task, wait_for_task
from dwebsocket.backends.room import check_room
from dwebsocket.backends.sockets import sweeper
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.state import Writing
from dwebsocket.running.event_loop import set_done

from .abort import abort
from .gunicorn_end import watch_worker
from .parts import GRACE, Owner
from .reader import Reader
from .writer import Writer

__all__ = ["Serving", "count"]

#: The WebSockets that are open in this process.
websockets: set[Owner] = set()
live.sources.append(lambda: list(websockets))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=websockets.clear)  # they are the parent's


def count() -> int:
    """How many WebSockets event loops of this process hold."""
    return len(websockets)


class Serving:
    """Waits in the task in which the server called us; the coroutine that has left its request.

    Attributes:
        start_task: begins that coroutine, until it has begun.
    """

    __slots__ = ("_connection", "_done", "_owner", "_reader", "_writer", "start_task")

    _done: asyncio.Future[None]  # what uses the WebSocket has ended

    def __init__(self, owner: Owner, reader: Reader, writer: Writer) -> None:
        self._owner = owner
        self._connection = owner._connection
        self._reader = reader
        self._writer = writer
        self._done = self._connection.loop.create_future()
        self.start_task: Callable[[], asyncio.Task[None]] | None = None

    def register(self) -> None:
        """Count the WebSocket as open, and have the server's call go on with ``serve``.

        Raises:
            NoRoom: no further one may be open.
        """
        check_room(len(websockets) + sweeper.count())
        websockets.add(self._owner)
        self._connection.serving = self

    def deregister(self) -> None:
        """Count it as open no more. Idempotent."""
        websockets.discard(self._owner)

    def begin(self) -> None:
        """Receive: the handshake has been answered. In the loop."""
        watch_worker(self._connection.loop, websockets)
        self._reader.begin()

    def begin_task(self) -> asyncio.Task[None]:
        """Begin the coroutine. In the loop."""
        assert self.start_task is not None
        task = self._owner._task = self.start_task()
        self.start_task = None
        self._reader.expect_coroutine()
        return task

    def begin_alone(self, go_on: Callable[[], None]) -> asyncio.Task[None] | None:
        """Begin the coroutine, if there is one; nobody waits in ``serve`` before the connection
        ends, when this is called.
        """
        self._owner._closing.call_at_end(go_on)
        return None if self.start_task is None else self.begin_task()

    def finish(self) -> None:
        """Note that the view or handler has ended. From any thread."""
        self._connection.call(set_done, self._done)

    @property
    def is_finished(self) -> bool:
        """Whether the view or handler has ended."""
        return self._done.done()

    async def serve(self) -> None:
        """Wait until the connection has ended, and what uses it, if that has been told so."""
        try:
            await self._serve()
        except asyncio.CancelledError:  # the server ends
            closing = self._owner._closing
            closing.close(CloseCode.GOING_AWAY, "")
            await closing.wait(GRACE)
            await self._discard(GRACE)
            await asyncio.wait([self._done], timeout=GRACE)
            raise

    async def _serve(self) -> None:
        if self.start_task is not None:
            self.begin_task()
        await self._owner._closing.wait()
        await self._discard(conf.CLOSE_TIMEOUT)
        if self._owner._task is None:
            await asyncio.wait([self._done], timeout=conf.CLOSE_TIMEOUT)
        else:
            await wait_for_task(self._owner)

    async def _discard(self, timeout: float) -> None:
        """Receive and drop what comes behind our Close, until the client has answered it; abort
        after ``timeout`` seconds.
        """
        # One server never ends a connection whose application has left ten messages with it.
        if self._owner._state.writing == Writing.LOST or self._reader.saw_end:
            return
        try:
            await asyncio.wait_for(self._receive_rest(), timeout)
        except asyncio.TimeoutError:
            abort(self._connection)
        except Exception:  # the server has nothing to say any more
            pass

    async def _receive_rest(self) -> None:
        while isinstance(coming := self._connection.receive(), Coroutine):
            if (await coming)["type"] != "websocket.receive":
                break

    async def abandon(self) -> None:
        """Cancel all that still runs in the loop, and wait for it: the server's call returns."""
        closing, owner = self._owner._closing, self._owner
        closing.stop(CloseCode.GOING_AWAY, "the server ends")
        cancel_task(owner)
        pump, flush = self._reader.pump, self._writer.task
        for task in (pump, flush):
            if task is not None:
                task.cancel()
        found = (pump, owner._task, flush)
        tasks = [task for task in found if task is not None and not task.done()]
        if tasks:
            await asyncio.wait(tasks)
        closing.finish()
