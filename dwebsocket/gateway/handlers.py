"""A handler whose ``on_open`` gets the first message, as django-ws has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dwebsocket import handlers
from dwebsocket.protocol.messages import Message
from dwebsocket.upgrade.async_handler import NOTHING, as_coroutine, empty
from dwebsocket.upgrade.methods import is_async
from dwebsocket.upgrade.opening import as_opening

__all__ = ["WebSocketHandler"]


@empty
def open_silently() -> Any:
    """Nothing is called until the first message comes."""
    return NOTHING


class WebSocketHandler(handlers.BaseWebSocketHandler):
    """``dwebsocket.WebSocketHandler``, but for ``on_open``. It works on every server."""

    _hooks_given: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **handlers.BaseWebSocketHandler._hooks_given,
        "on_open": ("message",),
    }

    _is_opened = False

    @empty
    def on_open(self, message: str | bytes) -> Any:
        """The first message has come. Unless this returns something, ``True`` or ``False`` for
        instance, ``on_message`` gets it, too.
        """

    @as_opening
    def on_resume(self, state: dict[str, Any]) -> Any:
        """The connection goes on in this process, in a new instance: ``state`` is what the old
        one's ``get_state`` returned. ``on_open`` is not called again.
        """
        return NOTHING

    def _get_opening(self) -> Callable[[], Any]:
        return open_silently

    def _get_receiver(self) -> Callable[[Message], Any]:
        return self._areceive_first if is_async(self) else self._receive_first

    def _is_first(self) -> bool:
        """Whether the message is the first one, here or in the process before."""
        first = not self._is_opened and not self.websocket._kept_messages  # type: ignore[attr-defined]
        self._is_opened = True
        return first

    def _receive_first(self, message: Message) -> None:
        if not self._is_first() or self.on_open(message) is None:
            self.on_message(message)

    async def _areceive_first(self, message: Message) -> None:
        if not self._is_first() or await as_coroutine(self.on_open)(message) is None:
            await as_coroutine(self.on_message)(message)
