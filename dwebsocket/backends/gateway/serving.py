"""What this process does for one connection: its request, and what uses its WebSocket then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from dwebsocket.backends import view_threads
from dwebsocket.backends.coroutine_end import wait_for_task
from dwebsocket.backends.waiters import wait_for_wake
from dwebsocket.running.coroutines import end_thread, own_thread
from dwebsocket.running.threads import Threads

from .flow import Flow
from .leader import Leader
from .loop import get_loop

__all__ = ["Coroutine", "Serving"]


class Coroutine(Protocol):
    """The WebSocket of a coroutine; see ``coroutine_end.Owner``."""

    _knows_end: bool
    _task: asyncio.Task[None] | None
    _done: asyncio.Future[None] | None

    @property
    def close_code(self) -> int | None: ...


class Serving:
    """One connection in this process.

    Attributes:
        environ: of its request.
        flow: what came and went.
        is_frozen: another process is going to go on with it.
        is_handler: what uses it is a handler.
        leader: calls handlers.
        loop: the event loop, if a coroutine uses it.
        own_threads: each handler has a thread, or a greenlet, to itself.
        user: the primary key of a handler's user, as text.
    """

    __slots__ = (
        "_is_idle",
        "_threads",
        "environ",
        "flow",
        "has_greenlets",
        "is_frozen",
        "is_handler",
        "keeps_thread",
        "leader",
        "loop",
        "own_threads",
        "user",
    )

    def __init__(
        self,
        flow: Flow,
        environ: dict[str, Any],
        leader: Leader,
        threads: Threads,
        *,
        own_threads: bool,
        has_greenlets: bool,
    ) -> None:
        self.flow = flow
        self.environ = environ
        self.leader = leader
        self.own_threads = own_threads
        self.has_greenlets = has_greenlets
        self.loop: asyncio.AbstractEventLoop | None = None
        self.user: str | None = None
        self.is_handler = self.is_frozen = self.keeps_thread = False
        self._is_idle = True
        self._threads = threads

    def forget_request(self) -> None:
        """The request has ended: keep nothing of the handshake but what is asked for later."""
        self.environ = {"REMOTE_ADDR": self.environ.get("REMOTE_ADDR")}
        self.flow.content = {}

    def keep_thread(self) -> None:
        """Leave the running thread to a coroutine that may be long; another one takes its place.

        Raises:
            NoRoom: too many have such a thread.
        """
        view_threads.lend(self._threads)
        self.keeps_thread = True

    def give_thread_back(self) -> None:
        """The end of what ``keep_thread`` has begun."""
        if self.keeps_thread:
            self.keeps_thread = False
            view_threads.take_back(self._threads)

    def use_loop(self) -> asyncio.AbstractEventLoop:
        """Have a coroutine use it, in the event loop of this process."""
        self.loop = get_loop()
        return self.loop

    async def run_watched(self, websocket: Coroutine, run: Callable[[], Any]) -> None:
        """Run a coroutine; cancel it when its client has left while it waits for something else."""
        own_thread()
        try:
            await self._run_watched(websocket, run)
        finally:
            end_thread()

    async def _run_watched(self, websocket: Coroutine, run: Callable[[], Any]) -> None:
        self._is_idle = False
        websocket._done = asyncio.get_running_loop().create_future()
        task = websocket._task = asyncio.ensure_future(run())
        if websocket.close_code is None:
            await asyncio.wait([task, websocket._done], return_when=asyncio.FIRST_COMPLETED)
        await wait_for_task(websocket)
        if not task.cancelled():
            task.result()

    async def wait_for_message(self, deadline: float | None) -> None:
        """Wait, in a coroutine, until something has come; for good if another process goes on.

        Raises:
            TimeoutError: the deadline, ``time.monotonic()`` value, passed.
        """
        inbox = self.flow.inbox
        self._is_idle = True
        try:
            await wait_for_wake(inbox.add_waiter, inbox.discard_waiter, deadline)
        finally:
            self._is_idle = False  # first: one of us sees the other
        if self.is_frozen:
            self._is_idle = True
            await asyncio.get_running_loop().create_future()

    # For whoever moves it to another process

    def freeze(self) -> bool:
        """Let nothing further be done by a coroutine; whether nothing is."""
        self.is_frozen = True
        return self._is_idle
