"""A WebSocket over a socket, used by coroutines: in a loop that nobody else uses.

A server for WSGI has no event loop. So each connection has one, in a thread of ours where the
server lets go of the connection, otherwise in one that Django starts while the request waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from django.http import HttpRequest

from dwebsocket.backends.coroutine_end import note_end, wait_for_task
from dwebsocket.backends.runner import Run
from dwebsocket.backends.sockets.websocket import SocketWebSocket
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.running.coroutines import release_thread
from dwebsocket.running.event_loop import is_in_event_loop, set_done
from dwebsocket.websocket import BytesLike, Message

__all__ = ["CoroutineWebSocket"]

#: Seconds between two looks at the socket for a coroutine that waits for something else.
LOOK_INTERVAL = 1.0


class CoroutineWebSocket(SocketWebSocket):
    """Coroutines wait for the socket itself, without a second thread."""

    __slots__ = ("_cancel", "_knows_end", "_shut", "_task", "_wake")

    _cancel: Callable[[], object] | None  # lets the coroutine have no more time
    _knows_end: bool  # the coroutine has been told that the connection has ended
    _shut: bool  # a coroutine has closed it
    _task: asyncio.Task[None] | None  # the coroutine that is an async view, or runs a handler
    _wake: Callable[[], object] | None  # ends the wait of the coroutine that receives

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._knows_end = self._shut = False
        self._cancel = self._task = self._wake = None

    async def run_watched(self, run: Run) -> None:
        """Run a coroutine that may wait for something else while its client leaves."""
        loop = asyncio.get_running_loop()
        task, cancelled = asyncio.ensure_future(run()), loop.create_future()
        self._task, self._cancel = task, partial(loop.call_soon_threadsafe, set_done, cancelled)
        wait = partial(asyncio.wait, [task, cancelled], return_when=asyncio.FIRST_COMPLETED)
        while not (task.done() or cancelled.done()) and (self._wake is not None or not self.closed):
            await wait(timeout=LOOK_INTERVAL)
        await wait_for_task(self, cancelled)
        self._cancel = None
        if not task.cancelled():
            task.result()

    def end_view(self) -> None:
        cancel = self._cancel
        if cancel is not None:
            try:
                cancel()
            except RuntimeError:  # the loop has just ended
                pass

    async def areceive(self, timeout: float | None = None) -> Message | None:
        self._check_accepted()
        loop = asyncio.get_running_loop()
        can_watch = isinstance(loop, asyncio.SelectorEventLoop)
        end = None if timeout is None or timeout < 0 else loop.time() + timeout
        while can_watch and self._read_lock.acquire(False):
            try:
                await self._wait_for_something(loop, end)
            finally:
                self._read_lock.release()
            if self._shut:
                return self._take_end()
            try:
                return self._noted(self.wait(0))
            except TimeoutError:  # another reader was faster
                pass
        left = None if end is None else max(0.0, end - loop.time())
        return self._noted(await super().areceive(left))

    def _noted(self, message: Message | None) -> Message | None:
        if message is None:
            note_end(self)
        return message

    async def asend(self, message: str | BytesLike) -> None:
        try:
            await super().asend(message)
        except ConnectionClosed:
            note_end(self)
            raise

    async def _wait_for_something(self, loop: asyncio.AbstractEventLoop, end: float | None) -> None:
        """Wait until there is a message, or will never be one. Called with the read lock held."""
        while not (self._ready or self._state.reading or self._shut):
            messages = self.receive_available()
            messages.reverse()
            self._ready = messages
            if not messages and not self._state.reading:
                release_thread()
                await self.arelease_database()
                if not self._shut:  # meanwhile
                    await self._until_readable(loop, end)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        note_end(self)
        await super().aclose(code, reason)

    def _take_end(self) -> Message | None:
        note_end(self)
        if self._told:
            raise self._closed_error()
        self._told = True
        return None

    async def _until_readable(self, loop: asyncio.AbstractEventLoop, end: float | None) -> None:
        readable: asyncio.Future[None] = loop.create_future()
        self._wake = lambda: loop.call_soon_threadsafe(set_done, readable)
        fd = self.transport.fileno()
        loop.add_reader(fd, set_done, readable)
        try:
            await asyncio.wait([readable], timeout=None if end is None else end - loop.time())
        finally:
            loop.remove_reader(fd)
            self._wake = None
        if not readable.done():
            raise TimeoutError("no message came in time")

    # The end: a coroutine that closes does not wait, for it would keep others from reading

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        if not timeout or not is_in_event_loop():
            super().close_connection(code, reason, timeout)
            return
        note_end(self)
        self.post_close(code, reason)
        self._ready.clear()
        self._shut = True
        if self._wake is not None:
            self._wake()
