"""What moves of a session that goes to another process."""

from __future__ import annotations

from typing import Any, NamedTuple

from dwebsocket.backends.sockets.departing import Content
from dwebsocket.protocol.engineio import Packet
from dwebsocket.protocol.messages import Message

__all__ = ["SessionContent"]


class SessionContent(NamedTuple):
    """What moves of a session.

    Attributes:
        sid: its name.
        owner: whose it is: what ``Owner`` is made of.
        resumes: whether the client is one of ours.
        kind: of the carrier.
        is_carried: whether there is one; if not the client is away.
        protocol: the subprotocol.
        trimmed: how many messages the client has got.
        kept: those behind that it may have got.
        pending: those behind that which it has not.
        controls: packets that are no messages.
        ready: messages that nobody has had yet, the oldest first.
        received: how many messages have come.
        pulse: of the heartbeat.
        lost_since: when the last carrier was lost, on the clock of the machine.
        stamp: when it was accepted.
        sent: how many messages.
        carrier: what the WebSocket holds that carries it, if that moves, too.
    """

    sid: str
    owner: Any
    resumes: bool
    kind: str
    is_carried: bool
    protocol: str | None
    trimmed: int
    kept: list[Packet]
    pending: list[Packet]
    controls: list[Packet]
    ready: list[Message]
    received: int
    pulse: dict[str, Any]
    lost_since: float
    stamp: int
    sent: int
    carrier: Content | None

    @property
    def size(self) -> int:
        """Bytes."""
        own = sum(map(len, (*self.kept, *self.pending, *self.ready)))
        return own + (0 if self.carrier is None else self.carrier.size)
