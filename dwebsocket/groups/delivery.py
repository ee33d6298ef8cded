"""A message for the members of a group in this process: as it is, or with its position."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.protocol.prepared import PreparedMessage

from .envelope import Closing
from .members import Member
from .recent import recent

__all__ = ["Message", "deliver", "tell_position"]

logger = logging.getLogger("dwebsocket.groups")

FAILED = "A member of the group %r cannot be sent to"


class Message:
    """One message, framed once for all who get it in the same form.

    Args:
        group: the group's name.
        content: what was sent.
        position: that of the message, ``None`` for one that is not kept.
        origin: the sender and the number, as the message carries them.
    """

    __slots__ = ("_content", "_group", "_origin", "_plain", "_position", "_with_position")

    def __init__(
        self,
        group: str,
        content: str | bytes,
        position: str | None = None,
        origin: bytes | None = None,
    ) -> None:
        self._group = group
        self._origin = origin
        self._content = content
        self._position = position
        self._plain: PreparedMessage | None = None
        self._with_position: PreparedMessage | None = None

    @property
    def plain(self) -> PreparedMessage:
        """What was sent."""
        prepared = self._plain
        if prepared is None:
            prepared = self._plain = PreparedMessage(self._content, self.identity)
        return prepared

    @property
    def with_position(self) -> PreparedMessage:
        """JSON: what was sent (``data``, or ``base64`` of bytes), the group, and the position."""
        prepared = self._with_position
        if prepared is None:
            prepared = build(self._group, self._position, self._content)
            prepared.identity = self.identity
            self._with_position = prepared
        return prepared

    @property
    def identity(self) -> str | None:
        """What no other message has; ``None``: nobody can tell it from others."""
        return None if self._origin is None else f"{self._origin.hex()} {self._group}"


def build(group: str, position: str | None, content: str | bytes) -> PreparedMessage:
    found: dict[str, Any] = {"group": group}
    if position is not None:
        found["position"] = position
    text = content if isinstance(content, str) else find_legacy_text(content)
    if text is not None:
        found["data"] = text
    else:
        assert isinstance(content, bytes)
        found["base64"] = b64encode(content).decode()
    return PreparedMessage(json.dumps(found, ensure_ascii=False))


def find_legacy_text(content: bytes) -> str | None:
    """What dwebsocket 0.x sends as text: all that is UTF-8, for it knows bytes alone."""
    if conf.LEGACY:
        with suppress(UnicodeDecodeError):
            return content.decode()
    return None


def deliver(
    group: str,
    content: str | bytes | Closing,
    members: Iterable[tuple[Member, bool]],
    exclude: object = None,
    position: str | None = None,
    origin: bytes | None = None,
) -> None:
    """Hand what was sent to these members, but ``exclude``, with the position to those who are told
    it, or whose clients are. Never waits; a member that cannot be sent to is logged, and those
    behind it get it.
    """
    message = content if isinstance(content, Closing) else Message(group, content, position, origin)
    if isinstance(message, Closing) or message.identity is None:
        hand_out(message, group, members, exclude, position)
        return
    with recent.handing_out(message.identity):
        hand_out(message, group, members, exclude, position)


def hand_out(
    message: Message | Closing,
    group: str,
    members: Iterable[tuple[Member, bool]],
    exclude: object,
    position: str | None,
) -> None:
    """Hand it to each of them."""
    for member, positions in members:
        if member is exclude:
            continue
        try:
            if isinstance(message, Closing):
                member.close_nowait(*message)
            elif positions:
                member.send_nowait(message.with_position)
            elif position is not None and member._positions is not None:
                member._positions.send(group, position, message.plain)
            else:
                member.send_nowait(message.plain)
        except Exception:  # a WebSocket that breaks its promise is not the others' loss
            logger.exception(FAILED, group)


def tell_position(
    group: str, member: Member, position: str, *, recovered: bool, in_messages: bool
) -> None:
    """Tell a member, or its client, where the group is, and whether nothing was missed; nobody, if
    neither asks for positions. Never waits, never raises.
    """
    told = {"group": group, "position": position, "recovered": recovered}
    try:
        if in_messages:
            member.send_nowait(PreparedMessage(json.dumps(told, ensure_ascii=False)))
        elif member._positions is not None:
            member._positions.tell(group, position, recovered=recovered)
    except Exception:
        logger.exception(FAILED, group)
