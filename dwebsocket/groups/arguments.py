"""What a group is given, and asked for, is looked at before anything is done."""

from __future__ import annotations

from typing import Any, cast

from dwebsocket.exceptions import InvalidGroupBackend, InvalidState

from .base import BaseGroupBackend
from .history import Keeper
from .members import Member
from .presence import Presence

__all__ = [
    "NO_HISTORY",
    "check_accepted",
    "check_encodable",
    "check_plain",
    "check_position",
    "get_keeper",
    "get_presence",
]

NO_HISTORY = (
    "the group %r has no history: say Group(name, history=100), or name it in "
    "WEBSOCKET_GROUP_HISTORY"
)


def check_plain(name: str, since: str | None, newest: int, positions: bool) -> None:
    """Raise ``ValueError`` for what only groups with a history have."""
    if since or newest or positions:
        raise ValueError(f"since, newest and positions are of no use here: {NO_HISTORY % name}")


def check_position(since: object) -> None:
    """Raise ``TypeError`` for what is no text."""
    if since is not None and not isinstance(since, str):
        raise TypeError(f"since is {since!r}, it must be the text of a position, or None")


def get_keeper(backend: BaseGroupBackend) -> Keeper:
    """What keeps the messages.

    Raises:
        InvalidGroupBackend: nothing does.
    """
    if backend.history is None:
        raise InvalidGroupBackend(
            f"{type(backend).__name__}, the backend of WEBSOCKET_GROUPS, keeps no history"
        )
    return backend.history


def get_presence(backend: BaseGroupBackend) -> Presence:
    """What knows who is present.

    Raises:
        InvalidGroupBackend: nothing does.
    """
    if backend.presence is None:
        raise InvalidGroupBackend(
            f"{type(backend).__name__}, the backend of WEBSOCKET_GROUPS, does not know who is "
            "present in a group"
        )
    return backend.presence


def check_encodable(name: str) -> None:
    """Raise ``ValueError`` for a name that no other process could be told."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name of a group cannot be {name!r}: {error}") from error


def check_accepted(websocket: Any, method: str = "add()") -> Member:
    """The WebSocket. Raise for what is none, or not yet an accepted one."""
    if websocket is None:
        raise TypeError(
            f"{method} takes a WebSocket, not None: request.websocket is None in a plain HTTP "
            "request; ask request.is_websocket() first"
        )
    if not hasattr(websocket, "accepted"):
        raise TypeError(
            f"{method} takes a WebSocket, not {type(websocket).__name__}: a handler's is "
            "self.websocket, a view's is request.websocket"
        )
    if not websocket.accepted:
        raise InvalidState(
            f"{method} was called, but the WebSocket is not accepted yet: call "
            "request.websocket.accept() first"
        )
    return cast(Member, websocket)
