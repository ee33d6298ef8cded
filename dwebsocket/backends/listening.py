"""A WebSocket whose messages go to a listener, as those of a handler do: nobody waits for them."""

from __future__ import annotations

from typing import NoReturn, Protocol

from dwebsocket.exceptions import InvalidState
from dwebsocket.protocol.messages import Message
from dwebsocket.transports.base import Lock

__all__ = ["NO_READER", "Listener", "ListenerLock", "refuse_waiting"]


class Listener(Protocol):
    """Who is told what happens on a connection. Nothing that it does may raise."""

    #: Whether each call runs in a greenlet of its own.
    calls_anew: bool
    #: Others wait for ``receive``: it returns after the present message, and leaves the rest.
    stalled: bool

    def receive(self, messages: list[Message]) -> None:
        """Messages of one read, the last one first: take them out one by one, from the end."""

    def end(self) -> None:
        """The connection has ended; said once."""


class ListenerLock:
    """The lock of readers of a WebSocket that has a listener: who would wait for it is refused.

    Args:
        lock: what whoever looks at the connection without waiting takes; ``None``: nobody may.
    """

    __slots__ = ("_lock",)

    def __init__(self, lock: Lock | None) -> None:
        self._lock = lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Whether the caller may read.

        Raises:
            InvalidState: the caller would wait.
        """
        if blocking:
            refuse_waiting()
        return self._lock is not None and self._lock.acquire(False)

    def release(self) -> None:
        """The caller has read."""
        if self._lock is not None:
            self._lock.release()

    def close(self) -> None:
        """Wait until nobody reads, and let nobody read any more."""
        if self._lock is not None:
            self._lock.acquire()


#: Where an event loop reads.
NO_READER = ListenerLock(None)


def refuse_waiting() -> NoReturn:
    """Refuse a read that is for views only.

    Raises:
        InvalidState: always.
    """
    raise InvalidState(
        "a handler's messages come to on_message(): wait(), read() and iteration are for views"
    )
