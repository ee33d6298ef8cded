"""The client's side of one WebSocket, in the thread of a test."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from websockets.exceptions import ConnectionClosed as ClientConnectionClosed
from websockets.sync.client import ClientConnection

from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.messages import BytesLike

from .errors import ViewErrors, add_context
from .server import ServerThread

__all__ = ["POLL", "TIMEOUT", "WebSocketSession", "as_json", "check_message", "silent", "unended"]

#: Seconds after which a test that waits for the view is told so.
TIMEOUT = 5.0

#: Seconds between two looks at the errors while no message comes.
POLL = 0.1


class WebSocketSession:
    """The client's side of one WebSocket.

    What waits raises what the view or handler has raised: once, and when all has been received that
    came before.
    """

    def __init__(
        self,
        connection: ClientConnection,
        server: ServerThread,
        errors: ViewErrors,
        timeout: float,
    ) -> None:
        self._connection = connection
        self._server = server
        self._errors = errors
        self._timeout = timeout

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the view chose, or ``None``."""
        return self._connection.subprotocol

    @property
    def close_code(self) -> int | None:
        """The code of the view's Close, ``None`` while open."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason in the view's Close, ``None`` while open."""
        return self._connection.close_reason

    def send(self, message: str | BytesLike) -> None:
        """Send ``str`` as text, bytes-like as binary.

        Raises:
            ConnectionClosed: the connection is closed.
        """
        __tracebackhide__ = True
        check_message(message)
        try:
            self._connection.send(message)
            return
        except ClientConnectionClosed as error:
            closed = error
        self._raise_closed(closed)

    def send_json(self, obj: Any) -> None:
        """Send ``obj`` as JSON text."""
        __tracebackhide__ = True
        self.send(as_json(obj))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message.

        Raises:
            TimeoutError: the view sent nothing in time.
            ConnectionClosed: the view closed the connection; with its code and reason.
        """
        __tracebackhide__ = True
        timeout = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + timeout
        closed = None
        while closed is None:
            left = deadline - time.monotonic()
            try:
                return self._connection.recv(max(0.0, min(left, POLL)))
            except TimeoutError:
                if left <= POLL or self._errors.due:
                    break
            except ClientConnectionClosed as error:
                closed = error
        if closed is not None:
            self._raise_closed(closed)
        self._errors.raise_first()
        raise silent(timeout)

    def receive_json(self, timeout: float | None = None) -> Any:
        """The next message, decoded."""
        __tracebackhide__ = True
        return json.loads(self.receive(timeout))

    def __iter__(self) -> Iterator[str | bytes]:
        """The messages, until the view closes the connection."""
        __tracebackhide__ = True
        while True:
            try:
                message = self.receive()
            except ConnectionClosed:
                return
            yield message

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until the view has ended.

        Raises:
            TimeoutError: the view goes on although its client has left.
        """
        __tracebackhide__ = True
        error = self._end(code, reason)
        if error is not None:
            raise error

    def _end(self, code: int = 1000, reason: str = "") -> BaseException | None:
        """``close``; what it raises."""
        self._connection.close(code, reason)
        ended = self._server.wait(self._timeout)
        return self._errors.take() or (None if ended else unended(self._timeout))

    def _raise_closed(self, error: ClientConnectionClosed) -> None:
        __tracebackhide__ = True
        self._errors.raise_first()
        raise ConnectionClosed(self.close_code or 1006, self.close_reason or "") from error

    def __enter__(self) -> WebSocketSession:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        error = self._end()
        # The test's own error is the one to be seen.
        if error is not None and (exc is None or not add_context(exc, error)):
            raise error

    def __del__(self) -> None:
        # Nobody has closed it: Python shows what is raised here, and pytest warns.
        self._errors.raise_first()


def check_message(message: Any) -> None:
    """Look at what a test wants to send.

    Raises:
        TypeError: it is neither text nor bytes.
    """
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            f"send() takes str or bytes, not {type(message).__name__}; for JSON use send_json()"
        )


def as_json(obj: Any) -> str:
    """JSON text of it, as a view's ``send_json`` makes it."""
    return json.dumps(obj, cls=DjangoJSONEncoder)


def silent(timeout: float) -> TimeoutError:
    """No message has come."""
    return TimeoutError(f"the view sent nothing for {timeout} seconds")


def unended(timeout: float) -> TimeoutError:
    """The view takes no notice of its client's end."""
    return TimeoutError(f"the view still runs {timeout} seconds after its client has closed")
