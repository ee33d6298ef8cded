"""The methods of a handler that its groups call, whenever something has happened there: each waits
for its turn.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from dwebsocket.running.coroutines import release_thread
from dwebsocket.running.threads import NoThread, Threads

__all__ = ["AsyncTurns", "Hearing", "Turns", "hears"]

#: Threads that make the calls of plain handlers.
MAX_THREADS = 32

threads = Threads(MAX_THREADS, "dwebsocket-hooks")

#: What is to be called with what: see ``groups.members.Hooks``.
Take = Callable[[], tuple[Any, ...] | None]


class Hearing(Protocol):
    """A handler."""

    presence_limit: int | None

    def on_presence(self, joined: Any, left: Any) -> Any: ...
    def on_history_lost(self, group: str) -> Any: ...


def hears(handler: Hearing) -> bool:
    """Whether it has written one of them."""
    return is_written(handler.on_presence) or is_written(handler.on_history_lost)


def is_written(hook: Callable[..., Any]) -> bool:
    return not getattr(hook, "is_empty", False)


class Wanted:
    """What is to be called of one handler. The ``Hooks`` of its WebSocket, but for how it is
    called.
    """

    def __init__(self, handler: Hearing) -> None:
        self._handler = handler
        self.hears_presence = is_written(handler.on_presence)
        self.hears_loss = is_written(handler.on_history_lost)
        self._guard = threading.Lock()  # guards what follows; held for an instant
        self._calls: dict[tuple[str, str], Take] = {}
        self._ended = False

    @property
    def presence_limit(self) -> int | None:
        """What the handler says."""
        return self._handler.presence_limit

    def _note(self, hook: str, group: str, take: Take) -> None:
        if not self._ended:
            self._calls.setdefault((hook, group), take)

    def stop(self) -> None:
        """Nothing further is called."""
        with self._guard:
            self._ended = True
            self._calls.clear()

    def take(self) -> tuple[str, tuple[Any, ...]] | None:
        """The next method, and what it is called with; ``None``: nothing is to be called."""
        while True:
            with self._guard:
                if not self._calls:
                    return None
                hook, group = next(iter(self._calls))
                take = self._calls.pop((hook, group))
            given = take()
            if given is not None:
                return hook, given


class Turns(Wanted):
    """The calls of a plain handler, one after the other, in whatever threads.

    Args:
        call_next: calls what ``take`` returns; whether there was anything. Never raises.
    """

    def __init__(self, handler: Hearing, call_next: Callable[[], bool]) -> None:
        super().__init__(handler)
        self._call_next = call_next
        self._lock = threading.Lock()  # held while one of its methods runs
        self._working = True  # with the opening

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a method when no other one runs."""
        with self._lock:
            return function(*args)

    def pause(self, timeout: float) -> bool:
        """Have no method called until ``go_on``; whether the running one has ended in time."""
        return self._lock.acquire(timeout=timeout)

    def go_on(self) -> None:
        """Whoever waits has its turn again."""
        self._lock.release()

    def tell(self, hook: str, group: str, take: Take) -> None:
        """Call that method when its turn comes."""
        with self._guard:
            self._note(hook, group, take)
            if self._working or not self._calls:
                return
            self._working = True
        self._start()

    def begin(self) -> None:
        """``on_open`` has returned."""
        with self._guard:
            self._working = bool(self._calls)
            if not self._working:
                return
        self._start()

    def _start(self) -> None:
        try:
            threads.start(self._work)
        except NoThread:  # whoever tells again tries again
            self._working = False

    def _work(self) -> None:
        while True:
            if self._call_next():
                continue
            with self._guard:
                if not self._calls:
                    self._working = False
                    return


class AsyncTurns(Wanted):
    """The calls of an ``async`` handler, one after the other, in the running event loop.

    Args:
        call: calls the method of this name; what it raises ends the connection there.
    """

    def __init__(self, handler: Hearing, call: Callable[..., Awaitable[None]]) -> None:
        super().__init__(handler)
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()  # held while one of its methods runs
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def run(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Call a method when no other one runs."""
        async with self._lock:
            return await function(*args)

    def tell(self, hook: str, group: str, take: Take) -> None:
        """Call that method when its turn comes. From any thread."""
        with self._guard:
            self._note(hook, group, take)
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:  # the loop is closed
            pass

    def begin(self) -> None:
        """``on_open`` has returned."""
        self._task = self._loop.create_task(self._work())

    async def end(self) -> None:
        """Wait for the present call. Nothing is called any more, but for ``on_close``."""
        self.stop()
        self._changed.set()
        task = self._task
        if task is None:
            return
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.cancelled():
            task.exception()  # taken notice of, or asyncio would complain

    async def _work(self) -> None:
        while not self._ended:
            release_thread()
            await self._changed.wait()
            self._changed.clear()
            while await self.run(self._call_next):
                pass

    async def _call_next(self) -> bool:
        found = self.take()
        if found is not None:
            await self._call(*found)
        return found is not None
