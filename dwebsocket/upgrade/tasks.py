"""Tasks of an ``async`` handler: they run beside it and end with its connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.utils import timezone

from dwebsocket.exceptions import ConnectionClosed, InvalidState
from dwebsocket.http import WebSocket, WebSocketRequest
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running.call_contexts import CallContexts, NotEntered
from dwebsocket.running.coroutines import end_thread, own_thread, release_thread, surround_calls
from dwebsocket.running.threads import in_thread
from dwebsocket.upgrade.async_handler import within
from dwebsocket.upgrade.error_log import tells_end
from dwebsocket.upgrade.handler import log_failure

__all__ = ["TASK_DUPLICATE_STARTED", "TASK_WS_CLOSED", "HandlerTasks"]

logger = logging.getLogger("dwebsocket.connection")

#: What a task is told when it is cancelled (``CancelledError.args``).
TASK_DUPLICATE_STARTED = "task-duplicate-started"
TASK_WS_CLOSED = "task-websocket-closed"

#: Seconds between two messages of ``start_ping``.
PING_INTERVAL = 59

#: Seconds that cancelled tasks have to end before the connection's end goes on without them.
MAX_ENDING = 5.0

#: A task's result, and what it is called with.
T = TypeVar("T")
P = ParamSpec("P")


class HandlerTasks:
    """What an ``async`` handler can run beside its own methods."""

    request: WebSocketRequest
    websocket: WebSocket
    _tasks_ended = False
    _contexts: CallContexts | None = None

    @property
    def tasks(self) -> dict[Hashable, asyncio.Task[Any]]:
        """The running tasks, by their ids."""
        tasks: dict[Hashable, asyncio.Task[Any]] = self.__dict__.setdefault("_tasks", {})
        return tasks

    def start_task(
        self,
        task_id: Hashable,
        coroutine: Callable[..., Awaitable[T]],
        callback: Callable[[asyncio.Task[T]], object] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> asyncio.Task[T]:
        """Run ``coroutine(*args, **kwargs)`` beside the handler. A task that runs under the same id
        is cancelled; all tasks are when the connection ends.

        Args:
            coroutine: a coroutine function, or whatever else returns something to wait for, such as
                ``send``.
            callback: a plain function, called with the task when it has ended.

        Raises:
            ConnectionClosed: the connection has ended.
            InvalidState: not called in an event loop.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise InvalidState(
                "start_task() and start_ping() work in an event loop: write the method that calls "
                "them as 'async def'"
            ) from None
        if self._tasks_ended:
            raise ConnectionClosed(self.websocket.close_code or 1006)
        self.cancel_task(task_id, TASK_DUPLICATE_STARTED)
        running = self._run_task(coroutine, args or (), kwargs or {})
        task = loop.create_task(running, name=f"{task_id!r} of {type(self).__qualname__}")
        self.tasks[task_id] = task
        self._unfinished.add(task)
        task.add_done_callback(self._see_off)
        if callback is not None:
            task.add_done_callback(partial(self._call_back, callback))
        return task

    def cancel_task(self, task_id: Hashable, message: str | None = None) -> None:
        """Cancel the task of this id; nothing happens if there is none. From any thread."""
        task = self.tasks.pop(task_id, None)
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel, message)

    def cancel_tasks(self) -> None:
        """Cancel all tasks. From any thread."""
        for task_id in list(self.tasks):
            self.cancel_task(task_id, TASK_WS_CLOSED)

    def start_ping(self) -> None:
        """Send ``{"ping": "<the time>"}`` every 59 seconds, for clients that look for a sign of
        life; the connection itself is kept alive by Pings of the protocol.
        """
        self.start_task("ping", self.ping)

    async def ping(self) -> None:
        """What ``start_ping`` runs in a task: it has no end."""
        await self.sleep_loop(self._ping, PING_INTERVAL)

    async def _ping(self) -> None:
        """Send one message of ``start_ping``."""
        self.websocket.send_json({"ping": timezone.now().isoformat()})
        await self.websocket.adrain()

    async def sleep_loop(
        self,
        coroutine: Callable[P, Awaitable[object]],
        seconds: float,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Sleep, call ``coroutine(*args, **kwargs)``, and so on, until it is cancelled."""
        while True:
            release_thread()
            await asyncio.sleep(seconds)
            await coroutine(*args, **kwargs)

    def on_task_error(self, error: Exception) -> Any:
        """A task raised ``error``. Logs it as the error of a view; the connection stays open."""
        log_failure(self, error)  # type: ignore[arg-type]  # the handler that this is a part of

    # What a handler's calls call

    async def _end_tasks(self) -> None:
        """Cancel all tasks and wait until they have ended. From now on none is started."""
        self._tasks_ended = True
        self.cancel_tasks()
        if self._unfinished:
            _, pending = await asyncio.wait(self._unfinished, timeout=MAX_ENDING)
            for task in pending:
                logger.error("The task %s goes on although it was cancelled", task.get_name())
                self._unfinished.discard(task)

    @property
    def _unfinished(self) -> set[asyncio.Task[Any]]:
        """The running tasks, and those that were cancelled and have not ended yet."""
        tasks: set[asyncio.Task[Any]] = self.__dict__.setdefault("_unfinished_tasks", set())
        return tasks

    async def _run_task(
        self, coroutine: Callable[..., Awaitable[T]], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> T:
        own_thread()
        contexts = self._contexts
        try:
            if contexts is None:
                return await coroutine(*args, **kwargs)
            surround_calls(contexts.surround)
            result: T = await contexts.arun(coroutine, *args, **kwargs)
            return result
        except NotEntered as error:
            await in_thread(log_failure, self, error)
            await self.websocket.aclose(CloseCode.INTERNAL_ERROR)
            raise
        except Exception as error:
            if not tells_end(error):  # of that the handler hears by itself
                await self._tell(error)
            raise
        finally:
            end_thread()

    async def _tell(self, error: Exception) -> None:
        try:
            await within(self, self.on_task_error)(error)  # type: ignore[arg-type]
        except Exception as further:
            await in_thread(log_failure, self, further)

    def _call_back(
        self, callback: Callable[[asyncio.Task[T]], object], task: asyncio.Task[T]
    ) -> None:
        try:
            callback(task)
        except Exception as error:
            if not tells_end(error):
                telling = task.get_loop().create_task(self._tell(error))
                self._unfinished.add(telling)
                telling.add_done_callback(self._unfinished.discard)

    def _see_off(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        for task_id, known in list(self.tasks.items()):
            if known is task:
                del self.tasks[task_id]
        if not task.cancelled():
            task.exception()  # taken notice of, or asyncio would complain
