"""A WebSocket over a socket, used by coroutines: in a loop that nobody else uses.

A server for WSGI has no event loop. So each connection has one, in a thread of ours where the
server lets go of the connection, otherwise in one that Django starts while the request waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from dwebsocket.backends.coroutine_end import note_end, wait_for_task
from dwebsocket.backends.runner import Run
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.messages import Message
from dwebsocket.protocol.state import ConnectionState
from dwebsocket.running.coroutines import release_thread
from dwebsocket.running.event_loop import set_done
from dwebsocket.running.threads import in_thread
from dwebsocket.transports import Transport
from dwebsocket.websocket import wrong_timeout

__all__ = ["CoroutineUse", "Owner"]

#: Seconds between two looks at the socket for a coroutine that waits for something else.
LOOK_INTERVAL = 1.0


class Owner(Protocol):
    """The WebSocket."""

    _read_lock: Any
    _ready: list[Message]
    _state: ConnectionState
    _told: bool
    _transport: Transport

    @property
    def closed(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> Message | None: ...
    def receive_available(self) -> list[Message]: ...
    def close_nowait(self, code: int, reason: str) -> None: ...
    async def _arelease_database(self) -> None: ...
    def _check_accepted(self) -> None: ...
    def _closed_error(self) -> ConnectionClosed: ...


class CoroutineUse:
    """Coroutines wait for the socket itself, without a second thread."""

    __slots__ = ("_cancel", "_knows_end", "_owner", "_shut", "_task", "_wake")

    _cancel: Callable[[], object] | None  # lets the coroutine have no more time
    _knows_end: bool  # the coroutine has been told that the connection has ended
    _shut: bool  # a coroutine has closed it
    _task: asyncio.Task[None] | None  # the coroutine that is an async view, or runs a handler
    _wake: Callable[[], object] | None  # ends the wait of the coroutine that receives

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._knows_end = self._shut = False
        self._cancel = self._task = self._wake = None

    async def run_watched(self, run: Run) -> None:
        """Run a coroutine that may wait for something else while its client leaves."""
        loop, owner = asyncio.get_running_loop(), self._owner
        task, cancelled = asyncio.ensure_future(run()), loop.create_future()
        self._task, self._cancel = task, partial(loop.call_soon_threadsafe, set_done, cancelled)
        wait = partial(asyncio.wait, [task, cancelled], return_when=asyncio.FIRST_COMPLETED)
        while not (task.done() or cancelled.done()) and (
            self._wake is not None or not owner.closed
        ):
            await wait(timeout=LOOK_INTERVAL)
        await wait_for_task(self, cancelled)
        self._cancel = None
        if not task.cancelled():
            task.result()

    def cancel(self) -> None:
        """Let the coroutine have no more time. From any thread."""
        cancel = self._cancel
        if cancel is not None:
            try:
                cancel()
            except RuntimeError:  # the loop has just ended
                pass

    async def receive(self, timeout: float | None) -> Message | None:
        """As ``BaseWebSocket.areceive``."""
        owner = self._owner
        owner._check_accepted()
        loop = asyncio.get_running_loop()
        can_watch = isinstance(loop, asyncio.SelectorEventLoop)
        try:
            end = None if timeout is None or timeout < 0 else loop.time() + timeout
        except TypeError as error:
            raise wrong_timeout(timeout, error) from error
        while can_watch and owner._read_lock.acquire(False):
            try:
                await self._wait_for_something(loop, end)
            finally:
                owner._read_lock.release()
            if self._shut:
                return self._take_end()
            try:
                return self._noted(owner.wait(0))
            except TimeoutError:  # another reader was faster
                pass
        left = None if end is None else max(0.0, end - loop.time())
        await owner._arelease_database()
        return self._noted(await in_thread(owner.wait, left))

    def _noted(self, message: Message | None) -> Message | None:
        if message is None:
            note_end(self)
        return message

    async def _wait_for_something(self, loop: asyncio.AbstractEventLoop, end: float | None) -> None:
        """Wait until there is a message, or will never be one. Called with the read lock held."""
        owner = self._owner
        while not (owner._ready or owner._state.reading or self._shut):
            messages = owner.receive_available()
            messages.reverse()
            owner._ready = messages
            if not messages and not owner._state.reading:
                release_thread()
                await owner._arelease_database()
                if not self._shut:  # meanwhile
                    await self._until_readable(loop, end)

    def _take_end(self) -> Message | None:
        note_end(self)
        owner = self._owner
        if owner._told:
            raise owner._closed_error()
        owner._told = True
        return None

    async def _until_readable(self, loop: asyncio.AbstractEventLoop, end: float | None) -> None:
        readable: asyncio.Future[None] = loop.create_future()
        self._wake = lambda: loop.call_soon_threadsafe(set_done, readable)
        fd = self._owner._transport.fileno()
        loop.add_reader(fd, set_done, readable)
        try:
            await asyncio.wait([readable], timeout=None if end is None else end - loop.time())
        finally:
            loop.remove_reader(fd)
            self._wake = None
        if not readable.done():
            raise TimeoutError("no message came in time")

    def close(self, code: int, reason: str) -> None:
        """Close in an event loop, without waiting: that would keep others from reading."""
        note_end(self)
        self._owner.close_nowait(code, reason)
        self._owner._ready.clear()
        self._shut = True
        if self._wake is not None:
            self._wake()
