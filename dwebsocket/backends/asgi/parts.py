"""What the parts of a WebSocket know of it, and of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dwebsocket.backends import coroutine_end
from dwebsocket.protocol.state import ConnectionState, Reading
from dwebsocket.websocket import Message

from .call_queue import Flushing
from .connection import AsgiConnection, Event

__all__ = ["GRACE", "Calls", "Closing", "Owner", "Reader", "Serving", "Writer"]

#: Seconds that are given to a server or to a view that ends: for a last word, for a Close.
GRACE = 1.0


class Writer(Flushing, Protocol):
    """Calls the server's ``send``."""

    @property
    def is_sending(self) -> bool:
        """Whether the server has a message, and has not taken it yet. In the loop."""
        ...

    def start_flush(self) -> None:
        """Send what waits in the outbox, in a task. In the loop."""

    async def send_in_turn(self, event: Event | None, size: int) -> None:
        """Send an event, if there is one, behind all that waits; wait for that. In the loop."""

    def stop(self) -> None:
        """Drop what waits, and cancel who is calling the server's ``send``. In the loop."""


class Reader(Protocol):
    """Calls the server's ``receive``."""

    async def receive_end(self) -> None:
        """Give the server time to say why it takes no more. In the loop."""

    async def stop_pump(self) -> None:
        """Call the server's ``receive`` no more for the inbox. In the loop."""

    def stop(self) -> None:
        """Receive no message any more. From any thread."""


class Calls(Protocol):
    """The calls of a handler."""

    def wake(self) -> None:
        """Have the listener called: there is a message, or no further one comes. From any
        thread.
        """


class Closing(Protocol):
    """Decides how the connection ends."""

    def close(self, code: int, reason: str, reading: Reading = ...) -> bool:
        """Queue our Close; whether it is the first one. From any thread."""
        ...

    def stop(self, code: int, reason: str) -> None:
        """Receive and send no message any more. From any thread."""

    def lose(self, reason: str) -> None:
        """Mark the connection as lost. In the loop."""

    def call_at_end(self, function: Callable[[], None]) -> None:
        """Call this behind ``finish``. In the loop."""

    def finish(self) -> None:
        """Note that the server has nothing more to do with the connection. In the loop."""

    async def wait(self, timeout: float | None = None) -> None:
        """Wait for ``finish``, at most so many seconds. In the loop."""


class Serving(Protocol):
    """The server's call."""

    def begin(self) -> None:
        """Receive: the handshake has been answered. In the loop."""

    def deregister(self) -> None:
        """Count the WebSocket as open no more."""


class Owner(coroutine_end.Owner, Protocol):
    """The WebSocket."""

    _ready: list[Message]  # received and not read yet, the oldest last

    @property
    def _calls(self) -> Calls | None: ...
    @property
    def _closing(self) -> Closing: ...
    @property
    def _connection(self) -> AsgiConnection: ...
    @property
    def _reader(self) -> Reader: ...
    @property
    def _serving(self) -> Serving: ...
    @property
    def _state(self) -> ConnectionState: ...
    @property
    def _writer(self) -> Writer: ...

    def end(self, code: int, reason: str) -> bool:
        """Decide that the connection ends, and why. From any thread."""
        ...

    def _check_accepted(self) -> None:
        """Raise ``InvalidState`` before the handshake is accepted."""

    def close_nowait(self, code: int, reason: str) -> None:
        """Queue our Close. Never waits, never raises."""
