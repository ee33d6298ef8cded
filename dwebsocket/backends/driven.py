"""What a WebSocket is while nobody waits for it: its messages go to a listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from dwebsocket.exceptions import InvalidState

if TYPE_CHECKING:
    from dwebsocket.websocket import BaseWebSocket, Message

__all__ = ["READ_LOCK", "Listener", "driven_class"]


class Listener(Protocol):
    """Who hears what happens on a connection. Nothing that it does may raise."""

    #: Whether each call runs in a greenlet of its own.
    calls_anew: bool
    #: Others wait for ``receive``: it returns after the present message, and leaves the rest.
    stalled: bool

    def receive(self, messages: list[Message]) -> None:
        """Messages of one read, the last one first: take them out one by one, from the end."""

    def end(self) -> None:
        """The connection has ended; said once."""


class LoopReads:
    """Stands in the place of the lock of readers where an event loop reads: nobody gets it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return False


READ_LOCK = LoopReads()


class NobodyWaits:
    """What a WebSocket cannot do as long as it is driven: its messages come to the listener."""

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> Any:
        raise InvalidState(
            "a handler's messages come to on_message(): wait(), read() and iteration are for views"
        )

    def read(self, fallback: Any = None) -> Any:
        self.wait()

    def __iter__(self) -> Any:
        self.wait()


driven_classes: dict[type, Any] = {}

SomeWebSocket = TypeVar("SomeWebSocket", bound="BaseWebSocket")


def driven_class(websocket_class: type[SomeWebSocket]) -> type[SomeWebSocket]:
    """A class of WebSockets that nobody waits for."""
    made: Any = driven_classes.get(websocket_class)
    if made is None:
        name = "Driven" + websocket_class.__name__
        made = type(name, (NobodyWaits, websocket_class), {"__slots__": ()})
        driven_classes[websocket_class] = made
    return cast(type[SomeWebSocket], made)
