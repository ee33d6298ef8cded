"""Tasks of an ``async`` handler: they run beside it and end with its connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from django.utils import timezone

from dwebsocket.exceptions import ConnectionClosed, InvalidState
from dwebsocket.websocket import BaseWebSocket

__all__ = ["TASK_DUPLICATE_STARTED", "TASK_WS_CLOSED", "HandlerTasks"]

logger = logging.getLogger("dwebsocket.handler")

#: What a task is told when it is cancelled (``CancelledError.args``).
TASK_DUPLICATE_STARTED = "task-duplicate-started"
TASK_WS_CLOSED = "task-websocket-closed"

#: Seconds between two messages of ``start_ping``.
PING_INTERVAL = 59

CoroutineFunction = Callable[..., Coroutine[Any, Any, Any]]


class HandlerTasks:
    """What an ``async`` handler can run beside its own methods."""

    websocket: BaseWebSocket

    @property
    def tasks(self) -> dict[Any, asyncio.Task[Any]]:
        """Those that have been started, by their ids."""
        tasks: dict[Any, asyncio.Task[Any]] = self.__dict__.setdefault("_tasks", {})
        return tasks

    def start_task(
        self,
        task_id: Any,
        coroutine: CoroutineFunction,
        callback: Callable[[asyncio.Task[Any]], Any] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> asyncio.Task[Any]:
        """Run ``coroutine(*args, **kwargs)`` beside the handler. One that runs under the same id is
        cancelled; all are when the connection ends.

        Args:
            task_id: anything hashable.
            callback: called with the task when it has ended.

        Raises:
            InvalidState: not called in an event loop: the handler's methods are no ``async def``.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise InvalidState(
                "start_task() and start_ping() work in an event loop: write the method that calls "
                "them as 'async def'"
            ) from None
        self.cancel_task(task_id, TASK_DUPLICATE_STARTED)
        task = loop.create_task(coroutine(*(args or ()), **(kwargs or {})))
        self.tasks[task_id] = task
        task.add_done_callback(self._see_off)
        if callback is not None:
            task.add_done_callback(callback)
        return task

    def cancel_task(self, task_id: Any, message: str | None = None) -> None:
        """Cancel one; nothing happens if there is none."""
        task = self.tasks.pop(task_id, None)
        if task is not None:
            task.cancel(message)

    def cancel_tasks(self) -> None:
        """Cancel all of them."""
        for task_id in list(self.tasks):
            self.cancel_task(task_id, TASK_WS_CLOSED)

    def start_ping(self) -> None:
        """Send ``{"ping": "<the time>"}`` every 59 seconds, for clients that look for a sign of
        life; the connection itself is kept alive by the server's own Pings.
        """
        self.start_task("ping", self.sleep_loop, args=(self.ping, PING_INTERVAL))

    async def ping(self) -> None:
        """Send that once."""
        self.websocket.send_json({"ping": timezone.now().isoformat()})
        await self.websocket.adrain()

    async def sleep_loop(
        self, coroutine: CoroutineFunction, seconds: float, *args: Any, **kwargs: Any
    ) -> None:
        """Sleep, call ``coroutine(*args, **kwargs)``, and so on, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await coroutine(*args, **kwargs)

    def on_task_error(self, error: BaseException) -> Any:
        """A task raised ``error``. Logs it; the connection stays open."""
        logger.error("A task of %s failed", type(self).__qualname__, exc_info=error)

    async def end_tasks(self) -> None:
        """Cancel all of them and wait until they have ended."""
        tasks = list(self.tasks.values())
        self.cancel_tasks()
        if tasks:
            await asyncio.wait(tasks)

    def _see_off(self, task: asyncio.Task[Any]) -> None:
        for task_id, known in list(self.tasks.items()):
            if known is task:
                del self.tasks[task_id]
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, ConnectionClosed):
            return
        further = self.on_task_error(error)
        if asyncio.iscoroutine(further):
            self.start_task(object(), lambda: further)
