"""What stands in the place of an ASGI server: one call of the application for one WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import Any

from dwebsocket.running.call_contexts import ASIDE
from dwebsocket.running.event_loop import set_done
from dwebsocket.running.threads import in_thread
from dwebsocket.upgrade.error_log import report, reporter

from .databases import SharedDatabases
from .errors import ViewErrors
from .refusal import WebSocketRefused, join_headers

__all__ = ["Application", "AsgiCall"]

Event = Mapping[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[Any]]

ABNORMAL = 1006  # no Close has come (RFC 6455, 7.4.1)


class AsgiCall:
    """The call, in a task of the running event loop, and what the application has sent.

    Attributes:
        messages: those that have not been received.
        subprotocol, close_code, close_reason: ``None`` until they are known.
    """

    def __init__(
        self,
        application: Application,
        scope: Mapping[str, Any],
        errors: ViewErrors,
        databases: SharedDatabases,
    ) -> None:
        self.messages: deque[str | bytes] = deque()
        self.subprotocol: str | None = None
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._scope = {**scope, ASIDE: databases}
        self._errors = errors
        self._databases = databases
        self._accepted = False
        self._refusal: list[Event] = []
        self._events: asyncio.Queue[Event] = asyncio.Queue()  # for the application
        self._loop = asyncio.get_running_loop()
        self._changed = self._loop.create_future()
        # As a server does it: in no context of the test's.
        self._task = Context().run(self._loop.create_task, self._run(application))

    async def open(self, timeout: float) -> None:
        """The opening handshake.

        Raises:
            WebSocketRefused: the application has not accepted it.
            TimeoutError: there was no answer.
        """
        __tracebackhide__ = True
        self.put({"type": "websocket.connect"})
        await self.wait_until(lambda: self._accepted or self._task.done(), timeout)
        if self._accepted:
            return
        if not self._task.done():
            self._task.cancel()
            raise TimeoutError(f"the handshake has not been answered for {timeout} seconds")
        self._errors.raise_first()
        raise self._make_refusal()

    def put(self, event: Event) -> None:
        """Give an event to the application, which asks for the next one when it wants to."""
        self._events.put_nowait(event)

    async def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until something is so, or the time has passed; whether it is so."""
        deadline = self._loop.time() + timeout
        await asyncio.sleep(0)  # others have their turn even if there is no time
        while not condition() and (left := deadline - self._loop.time()) > 0:
            await asyncio.wait([self._changed], timeout=left)
            if self._changed.done():
                self._changed = self._loop.create_future()
        return condition()

    def disconnect(self, code: int, reason: str) -> None:
        """The client closes, or has answered a Close."""
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
            self.put({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def end(self, timeout: float) -> bool:
        """Wait until the application has returned, and nobody goes on beside it; whether that is
        so. It is cancelled otherwise.
        """
        deadline = self._loop.time() + timeout
        await asyncio.wait([self._task], timeout=timeout)
        ended = self._task.done()
        self._task.cancel()
        left = max(0.0, deadline - self._loop.time())
        return ended and await in_thread(self._databases.unused.wait, left)

    async def _run(self, application: Application) -> None:
        reporter.set(self._errors.hear)
        try:
            await application(self._scope, self._events.get, self._take)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            report(error)
        finally:
            self._databases.end()
            if self.close_code is None:
                self.close_code = ABNORMAL
            self._tell()

    async def _take(self, event: Event) -> None:
        """What the application calls ``send``."""
        kind = event["type"]
        if kind.startswith("websocket.http.response."):
            self._refusal.append(event)
        elif kind == "websocket.accept":
            self._accepted, self.subprotocol = True, event.get("subprotocol")
        elif kind == "websocket.close":
            self.disconnect(event.get("code", 1000), event.get("reason") or "")
        elif self.close_code is None:  # else it comes too late
            text = event.get("text")
            self.messages.append(event["bytes"] if text is None else text)
        self._tell()

    def _tell(self) -> None:
        set_done(self._changed)

    def _make_refusal(self) -> WebSocketRefused:
        if not self._refusal:  # a Close, or nothing, as of an application that has failed
            return WebSocketRefused(500 if self.close_reason is None else 403, {}, b"")
        start, *parts = self._refusal
        headers = [
            (key.decode("latin-1"), value.decode("latin-1")) for key, value in start["headers"]
        ]
        content = b"".join(part.get("body", b"") for part in parts)
        return WebSocketRefused(start["status"], join_headers(headers), content)
