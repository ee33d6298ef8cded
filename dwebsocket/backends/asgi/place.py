"""Where what uses a session goes on under ASGI, and HTTP answers that are given later."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.runner import Run
from dwebsocket.running.context import RequestContext, capture_context
from dwebsocket.running.coroutines import end_thread, own_thread
from dwebsocket.supervisor import log_failure, start_thread
from dwebsocket.transports.base import Lock

from .connection import AsgiConnection

__all__ = ["AsgiPlace", "DeferredResponse"]

#: The coroutines of sessions: a loop alone would let go of them.
tasks: set[asyncio.Task[None]] = set()


class AsgiPlace:
    """See ``Place``."""

    calls_anew = False

    __slots__ = ("_connection",)

    def __init__(self, connection: AsgiConnection) -> None:
        self._connection = connection

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """See ``Place``; so have the rest."""
        return self._connection.loop

    def create_lock(self) -> Lock:
        """See ``Place``."""
        return threading.Lock()

    @property
    def start(self) -> Callable[..., Any]:
        """See ``Place``."""
        return start_thread

    @property
    def sleep(self) -> Callable[[float], None]:
        """See ``Place``."""
        return time.sleep

    def start_call(self, work: Callable[[], None]) -> None:
        """See ``Place``."""
        self._connection.start_call(work)

    def keep_view(self) -> None:
        """See ``Place``."""
        self._connection.answering.keep_thread()

    def answer(self, response: HttpResponse | None) -> None:
        """See ``Place``."""
        self._connection.answering.answer([] if response is None else response)

    def reserve_coroutine(self) -> None:
        """See ``Place``."""

    def start_coroutine(self, run: Run) -> None:
        """See ``Place``."""
        self._connection.call(self._begin, capture_context(), run)

    def cancel(self) -> None:
        """See ``Place``."""

    def forget_request(self) -> None:
        """See ``Place``; the application does so."""

    def _begin(self, context: RequestContext, run: Run) -> None:
        task = context.copy_for_thread().run(self.loop.create_task, run_alone(run))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def run_alone(run: Run) -> None:
    """Run it with a thread of its own for what is not async."""
    own_thread()
    try:
        await run()
    except Exception:  # nobody else waits for it
        log_failure("A WebSocket failed")
    finally:
        end_thread()


class DeferredResponse(HttpResponse):
    """The response of a request that is answered later.

    Attributes:
        reply: the answer, once it is given.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply
