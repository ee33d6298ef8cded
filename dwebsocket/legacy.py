"""``WEBSOCKET_LEGACY = True``: what dwebsocket 0.5 did and new code should not rely on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.websocket import BaseWebSocket, BytesLike

__all__ = ["legacy_class"]


class LegacyWebSocket(BaseWebSocket):
    """Text arrives as ``bytes``; ``bytes`` that are UTF-8 leave as text; ``send`` to a dead
    connection is silent; ``wait`` returns ``None`` on time-out; iteration yields a last ``None``.
    """

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> Any:
        try:
            return as_bytes(super().wait(timeout))
        except TimeoutError:
            return None

    def read(self, fallback: Any = None) -> Any:
        nothing = object()
        message = super().read(nothing)
        return fallback if message is nothing else as_bytes(message)

    def _iterate(self) -> Iterator[Any]:
        for message in super()._iterate():
            yield as_bytes(message)
        yield None

    def send(self, message: str | BytesLike) -> None:
        try:
            super().send(as_text(message))
        except ConnectionClosed:
            pass

    def send_nowait(self, message: PreparedMessage) -> None:
        super().send_nowait(message.as_text())


legacy_classes: dict[type[BaseWebSocket], type[BaseWebSocket]] = {}


def as_bytes(message: str | bytes | None) -> bytes | None:
    return message.encode() if isinstance(message, str) else message


def as_text(message: str | BytesLike) -> str | BytesLike:
    if isinstance(message, (bytes, bytearray, memoryview)):
        try:
            return bytes(message).decode()
        except UnicodeDecodeError:
            pass
    return message


def legacy_class(websocket_class: type[BaseWebSocket]) -> type[BaseWebSocket]:
    """A backend's class with the old ways on top."""
    made = legacy_classes.get(websocket_class)
    if made is None:
        made = legacy_classes[websocket_class] = derive(websocket_class)
    return made


def derive(websocket_class: type[BaseWebSocket]) -> type[BaseWebSocket]:
    name = "Legacy" + websocket_class.__name__
    return cast(
        type[BaseWebSocket], type(name, (LegacyWebSocket, websocket_class), {"__slots__": ()})
    )
