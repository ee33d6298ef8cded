"""The client's side of one WebSocket, in the event loop of a test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.messages import BytesLike

from .asgi_call import AsgiCall
from .errors import ViewErrors, add_context
from .session import POLL, as_json, check_message, silent, unended

__all__ = ["AsyncWebSocketSession"]


class AsyncWebSocketSession:
    """The client's side of one WebSocket: ``WebSocketSession`` with its methods awaited."""

    def __init__(self, call: AsgiCall, errors: ViewErrors, timeout: float) -> None:
        self._call = call
        self._errors = errors
        self._timeout = timeout

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the view chose, or ``None``."""
        return self._call.subprotocol

    @property
    def close_code(self) -> int | None:
        """The code of the view's Close, ``None`` while open."""
        return self._call.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason in the view's Close, ``None`` while open."""
        return self._call.close_reason

    async def send(self, message: str | BytesLike) -> None:
        """Send ``str`` as text, bytes-like as binary.

        Raises:
            ConnectionClosed: the connection is closed.
        """
        __tracebackhide__ = True
        check_message(message)
        if self.close_code is not None:
            self._raise_closed()
        text = message if isinstance(message, str) else None
        data = None if isinstance(message, str) else bytes(message)
        self._call.put({"type": "websocket.receive", "text": text, "bytes": data})

    async def send_json(self, obj: Any) -> None:
        """Send ``obj`` as JSON text."""
        __tracebackhide__ = True
        await self.send(as_json(obj))

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message.

        Raises:
            TimeoutError: the view sent nothing in time.
            ConnectionClosed: the view closed the connection; with its code and reason.
        """
        __tracebackhide__ = True
        timeout = left = self._timeout if timeout is None else timeout
        call = self._call
        while not await call.wait_until(self._has_come, min(left, POLL)):
            left -= POLL
            if left <= 0 or self._errors.due:
                self._errors.raise_first()
                raise silent(timeout)
        if not call.messages:
            self._raise_closed()
        return call.messages.popleft()

    def _has_come(self) -> bool:
        return bool(self._call.messages) or self.close_code is not None

    async def receive_json(self, timeout: float | None = None) -> Any:
        """The next message, decoded."""
        __tracebackhide__ = True
        return json.loads(await self.receive(timeout))

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages, until the view closes the connection."""
        __tracebackhide__ = True
        while True:
            try:
                message = await self.receive()
            except ConnectionClosed:
                return
            yield message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until the view has ended.

        Raises:
            TimeoutError: the view goes on although its client has left.
        """
        __tracebackhide__ = True
        error = await self._end(code, reason)
        if error is not None:
            raise error

    async def _end(self, code: int = 1000, reason: str = "") -> BaseException | None:
        """``close``; what it raises."""
        self._call.disconnect(code, reason)
        ended = await self._call.end(self._timeout)
        return self._errors.take() or (None if ended else unended(self._timeout))

    def _raise_closed(self) -> None:
        __tracebackhide__ = True
        self._errors.raise_first()
        raise ConnectionClosed(self.close_code or 1006, self.close_reason or "")

    async def __aenter__(self) -> AsyncWebSocketSession:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        error = await self._end()
        # The test's own error is the one to be seen.
        if error is not None and (exc is None or not add_context(exc, error)):
            raise error

    def __del__(self) -> None:
        # Nobody has closed it: Python shows what is raised here, and pytest warns.
        self._errors.raise_first()
