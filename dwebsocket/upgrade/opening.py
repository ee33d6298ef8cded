"""What is called first of a handler: ``on_open``, or ``on_resume`` where its connection has been
another process's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

__all__ = ["as_opening", "find_opening"]

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Opening(Protocol):
    """A handler."""

    def on_resume(self, state: Any) -> Any: ...
    def _get_opening(self) -> Callable[[], Any]: ...


class Kept(Protocol):
    """Its WebSocket."""

    _kept_state: dict[str, Any] | None


def as_opening(hook: Hook) -> Hook:
    """Mark an ``on_resume`` that only calls ``on_open``."""
    hook.__dict__["is_opening"] = True
    return hook


def find_opening(handler: Opening, websocket: Kept) -> Callable[[], Any]:
    """The method that is called first; plain or ``async``, as it is written."""
    state = websocket._kept_state
    if state is None or hasattr(handler.on_resume, "is_opening"):
        return handler._get_opening()
    return partial(handler.on_resume, state)
