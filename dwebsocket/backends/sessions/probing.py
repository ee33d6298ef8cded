"""A WebSocket that may become the carrier of a session that has begun with polls."""

from __future__ import annotations

from collections.abc import Callable

from dwebsocket.backends.sessions.carriers import WebSocketCarrier
from dwebsocket.protocol.engineio import PROBE, PROBED, UPGRADE, Packet
from dwebsocket.protocol.frames import CloseCode

__all__ = ["Probe"]


class Probe:
    """There is at most one. Under the lock of its session.

    Attributes:
        carrier: it, while it is neither the carrier nor closed.
        is_asked: whether its question has been answered.
    """

    __slots__ = ("carrier", "is_asked")

    def __init__(self) -> None:
        self.carrier: WebSocketCarrier | None = None
        self.is_asked = False

    def begin(self, carrier: WebSocketCarrier) -> None:
        """It has come."""
        self.carrier, self.is_asked = carrier, False

    def hear(
        self, packets: list[Packet], goes_on_from: Callable[[str], bool]
    ) -> WebSocketCarrier | None:
        """What comes on it, of which all is taken out, up to the upgrade; what is the carrier from
        now on, if it is.

        Args:
            goes_on_from: whether it may be, where the upgrade says how many messages the client
                has got.
        """
        while packets and (carrier := self.carrier) is not None:
            packet = packets.pop(0)
            if packet == PROBE:
                self.is_asked = True
                carrier.send([PROBED])
            elif packet == UPGRADE or (
                isinstance(packet, str) and packet[:1] == UPGRADE and goes_on_from(packet[1:])
            ):
                self.carrier = None
                return carrier
            else:
                self.stop(CloseCode.PROTOCOL_ERROR)
        return None

    def stop(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        """It is not wanted."""
        carrier, self.carrier = self.carrier, None
        if carrier is not None:
            carrier.finish(code, "")
