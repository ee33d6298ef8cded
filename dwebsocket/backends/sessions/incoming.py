"""What comes from a client: its messages are counted, and what else it says is obeyed."""

from __future__ import annotations

from collections.abc import Sequence

from dwebsocket.backends.sessions.pulse import Pulse
from dwebsocket.protocol.engineio import (
    NOOP,
    InvalidPacket,
    Outgoing,
    Packet,
    WrongCount,
    as_message,
    decode_text,
    is_message,
    parse_close,
    parse_count,
)
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.websocket import Message

__all__ = ["Incoming"]

PONG, CLOSE = "3", "1"

#: Packets that ours may send, and that are for others.
OURS = ("7", "8")


class Incoming:
    """One client's. Under the lock of its session.

    Attributes:
        has_failed: whether the client has broken the protocol.
        received: how many messages have come.
    """

    __slots__ = ("_outgoing", "_pulse", "_resumes", "has_failed", "received")

    def __init__(self, outgoing: Outgoing, pulse: Pulse, *, resumes: bool) -> None:
        self._outgoing = outgoing
        self._pulse = pulse
        self._resumes = resumes
        self.has_failed = False
        self.received = 0

    def skip_known(self, packets: list[Packet], sent: int) -> None:
        """Drop the messages that have come already: the client had sent so many before these."""
        known = self.received - sent
        kept = []
        for packet in packets:
            if known > 0 and is_message(packet):
                known -= 1
            else:
                kept.append(packet)
        packets[:] = kept

    def sort(self, packets: Sequence[Packet], messages: list[Message]) -> tuple[int, str] | None:
        """Put what are messages into the list, and obey the rest; why the session ends, if it
        does.
        """
        closed = None
        try:
            for given in packets:
                packet = decode_text(given) if isinstance(given, str) else given
                if is_message(packet):
                    messages.append(as_message(packet))
                    continue
                closed = self._obey(str(packet))
                if closed is not None:
                    break
        except (InvalidPacket, WrongCount) as error:
            self.has_failed = True
            closed = CloseCode.PROTOCOL_ERROR, str(error)
        self.received += len(messages)
        return closed

    def _obey(self, packet: str) -> tuple[int, str] | None:
        """A packet that is no message; why the session ends, if it says that."""
        kind = packet[:1]
        if kind == CLOSE:
            return parse_close(packet)
        if kind == PONG:
            mark = self._pulse.answer()
            count = parse_count(packet[1:]) if self._resumes else mark
            if count is not None:
                self._outgoing.trim(count)
        elif kind != NOOP and not (self._resumes and kind in OURS):
            raise InvalidPacket(f"a packet of type {kind!r}")
        return None
