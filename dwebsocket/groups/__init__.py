"""``Group``: everybody who is in it gets what is sent to it, in whatever process they are."""

from __future__ import annotations

import json
from typing import Any, cast

from django.core.serializers.json import DjangoJSONEncoder

from dwebsocket.exceptions import InvalidState
from dwebsocket.http import WebSocket
from dwebsocket.protocol.frames import check_close
from dwebsocket.protocol.messages import BytesLike, as_bytes
from dwebsocket.running.threads import in_thread

from .base import Closing, Counts, Envelope
from .current import count_slow, find_backend, get_backend, get_members, get_slow
from .members import Member

__all__ = ["Counts", "Group", "count_slow", "get_counts", "leave_all"]


class Group:
    """The WebSockets that are called by one name. Costs nothing to make: make it where you need it.

    Attributes:
        name: any text that is not empty.

    Raises:
        ValueError: ``name`` is no ``str``, is empty, or has half a surrogate pair, which JSON may
            bring.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"the name of a group is a str that is not empty, not {name!r}")
        if not name.isascii():
            check_encodable(name)
        self.name = name

    def __repr__(self) -> str:
        return f"Group({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and other.name == self.name

    def __hash__(self) -> int:
        return hash((Group, self.name))

    def __len__(self) -> int:
        """How many members there are in this process."""
        return get_members().count(self.name)

    def __bool__(self) -> bool:
        """A group without members is a group."""
        return True

    def __contains__(self, websocket: object) -> bool:
        return get_members().has(self.name, cast(Member, websocket))

    def add(self, websocket: WebSocket) -> None:
        """Let the WebSocket get what is sent to the group, until it closes. A closed one is not
        added.

        Raises:
            InvalidState: it is not accepted yet.
            TypeError: it is no WebSocket.
        """
        member = check_accepted(websocket)
        backend = get_backend()
        get_members().add(self.name, member)
        backend.subscribe(self.name)  # not for the first one alone: all wait until it has happened
        if member._has_ended:  # meanwhile, or before
            self.discard(websocket)

    def discard(self, websocket: WebSocket) -> None:
        """Take the WebSocket out of the group; nothing happens if it is no member."""
        if get_members().discard(self.name, cast(Member, websocket)):
            get_backend().unsubscribe(self.name)

    def send(self, message: str | BytesLike, exclude: WebSocket | None = None) -> None:
        """Send ``str`` as text, bytes-like as binary, to every member but ``exclude``. Waits for no
        reader.

        Raises:
            GroupUnavailable: the members in other processes did not get it.
            TypeError: ``message`` is of another type.
        """
        self._send(message if isinstance(message, str) else as_bytes(message), exclude)

    def send_json(self, obj: Any, exclude: WebSocket | None = None) -> None:
        """Send ``obj`` as JSON text; dates, decimals and UUIDs as Django's encoder writes them."""
        self._send(json.dumps(obj, cls=DjangoJSONEncoder), exclude)

    async def asend(self, message: str | BytesLike, exclude: WebSocket | None = None) -> None:
        """``send()`` for async code."""
        await in_thread(self.send, message, exclude)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close every member, behind what has been sent to it.

        Raises:
            GroupUnavailable: the members in other processes were not reached.
            TypeError: the code is no number, or the reason no text.
            ValueError: a code that may not be sent, or too long a reason.
        """
        self._send(Closing(*check_close(code, reason)), None)

    def _send(self, content: Envelope, exclude: WebSocket | None) -> None:
        backend = get_backend()
        backend.receive(self.name, content, exclude)
        backend.publish(self.name, content)


def check_encodable(name: str) -> None:
    """Raise ``ValueError`` for a name that no other process could be told."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name of a group cannot be {name!r}: {error}") from error


def check_accepted(websocket: Any) -> Member:
    """The WebSocket. Raise for what is none, or not yet an accepted one."""
    if websocket is None:
        raise TypeError(
            "add() takes a WebSocket, not None: request.websocket is None in a plain HTTP request; "
            "ask request.is_websocket() first"
        )
    if not hasattr(websocket, "accepted"):
        raise TypeError(
            f"add() takes a WebSocket, not {type(websocket).__name__}: a handler's is "
            "self.websocket, a view's is request.websocket"
        )
    if not websocket.accepted:
        raise InvalidState(
            "add() was called, but the WebSocket is not accepted yet: call "
            "request.websocket.accept() first"
        )
    return cast(Member, websocket)


def get_counts() -> Counts:
    """What this process has sent to others and received from them, and whom it had to close."""
    return get_backend().get_counts()._replace(slow=get_slow())


def leave_all(websocket: Member) -> None:
    """Take a closed WebSocket out of all its groups. Never waits, never raises."""
    emptied = get_members().leave(websocket)
    backend = find_backend() if emptied else None
    if backend is not None:
        for name in emptied:
            backend.unsubscribe(name)
