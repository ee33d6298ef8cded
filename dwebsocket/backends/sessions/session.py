"""A session: carriers come and bring packets; what goes to the client is in ``exchange``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import Any, ClassVar

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.carriers import (
    Carrier,
    CarryingWebSocket,
    Polls,
    WebSocketCarrier,
)
from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.backends.sessions.exchange import Exchange
from dwebsocket.backends.sessions.transit import IsLeaving
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.backends.waiters import Waiter, Waiters
from dwebsocket.conf import conf
from dwebsocket.protocol.engineio import (
    NOOP,
    InvalidPacket,
    Packet,
    WrongCount,
    build_open,
    is_message,
    parse_count,
)
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.websocket import Message

__all__ = ["Session"]


class Session(Exchange):
    """One client's."""

    __slots__ = ()

    is_here: ClassVar[bool] = True

    # Carriers come

    def adopt(self, carrier: Carrier, received: int | None = None) -> None:
        """Go on with this carrier.

        Args:
            received: how many messages the client has got; ``None``: it is the first carrier.

        Raises:
            IsLeaving: the session is about to go to another process.
            WrongCount: so many were not sent.
        """
        with self._lock:
            self._transit.check()
            if received is not None:
                self._outgoing.rewind(received)
            old, self._carrier, self.kind = self._carrier, carrier, carrier.kind
            self._controls[:] = [self._build_open(coming_back=received is not None)]
            self._pulse.begin(monotonic())
            if not self._inbox.has_room:
                carrier.set_reading(False)
            if old is not None:
                old.finish(CloseCode.NORMAL_CLOSURE, "")
            self._flush()

    def start_reading(self, carrier: Carrier) -> None:
        """Have a carrier bring something that has not before: one that does nothing unasked."""
        with self._lock:
            if self._inbox.has_room or carrier is not self._carrier:
                carrier.set_reading(True)

    def _build_open(self, *, coming_back: bool) -> Packet:
        values: dict[str, Any] = {
            "sid": self.sid,
            "upgrades": ["websocket"] if self.kind == "polling" else [],
            **self._pulse.describe(),
            "maxPayload": conf.MAX_MESSAGE_SIZE,
        }
        if self.resumes:
            values["resume"] = conf.RESUME_TIMEOUT
            if self.protocol is not None:
                values["protocol"] = self.protocol
            if coming_back:
                values["received"] = self.received
            elif self._user._awaits_positions:
                values["recovered"] = None
        return build_open(values)

    def may_rewind(self, received: int) -> bool:
        """Whether the client can have got so many messages."""
        return self._outgoing.trimmed <= received <= self._outgoing.taken

    def probe(self, carrier: WebSocketCarrier) -> None:
        """A WebSocket asks whether it may carry on what polls have begun; if not it is closed.

        Raises:
            IsLeaving: the session is about to go to another process.
        """
        with self._lock:
            self._transit.check()
            may = isinstance(self._carrier, Polls) and self._ended is None
            if may and self._probe.carrier is None:
                self._probe.begin(carrier)
                return
        carrier.finish(CloseCode.NORMAL_CLOSURE, "")

    def _hear_probe(self, packets: list[Packet]) -> None:
        carrier = self._probe.hear(packets, self._goes_on_from)
        if carrier is not None:
            old, self._carrier, self.kind = self._carrier, carrier, carrier.kind
            if isinstance(old, Polls):
                old.refuse()
            self._flush()

    def _goes_on_from(self, count: str) -> bool:
        """Whether one of ours may upgrade, that has got so many messages: the last poll that was
        answered may have brought less than all.
        """
        try:
            received = parse_count(count) if self.resumes else None
        except InvalidPacket:
            return False
        if received is None or not self.may_rewind(received):
            return False
        self._outgoing.rewind(received)
        return True

    def _release_poll(self) -> None:
        """Answer a poll that waits: its client changes over to a WebSocket when it has that."""
        with self._lock:
            if self._probe.carrier is not None and isinstance(self._carrier, Polls):
                self._carrier.send([NOOP])

    # Polls

    def poll(self, reply: Reply, after: int | None) -> bool:
        """A GET that is answered when there is something to say; ``False``: it is refused.

        Args:
            after: how many messages the client has got, if it says so.

        Raises:
            IsLeaving: the session is about to go to another process.
        """
        with self._lock:
            self._transit.check()
            carrier = self._carrier
            if not isinstance(carrier, Polls):
                return False
            twice = carrier.is_ready and after is None
            if not twice:
                if not self._rewind_to(after):
                    return False
                carrier.send([NOOP])
                carrier.wait(reply)
                reply.on_left = lambda: self._forget(reply)
                self._flush()
            probe = self._probe.carrier if self._probe.is_asked else None
        self._wake()
        if probe is not None:
            probe.call_behind(self._release_poll)
        if twice:
            self.end(CloseCode.PROTOCOL_ERROR, "two polls at once", lingers=False)
        return not twice

    def _rewind_to(self, after: int | None) -> bool:
        """Whether the client can have got so many messages."""
        outgoing = self._outgoing
        try:
            if after is not None:
                outgoing.rewind(after)
            elif not self.resumes:
                outgoing.trim(outgoing.taken)
        except WrongCount:
            return False
        return True

    def _forget(self, reply: Reply) -> None:
        with self._lock:
            if isinstance(self._carrier, Polls):
                self._carrier.forget(reply)

    def post(self, packets: Sequence[Packet], sent: int | None, reply: Reply) -> bool:
        """A POST has brought packets; the reply is given when they have been taken. ``False``: it
        is refused.

        Args:
            sent: how many messages the client had sent before these, if it says so.

        Raises:
            IsLeaving: the session is about to go to another process.
        """
        with self._lock:
            self._transit.check()
            carrier = self._carrier
            if not isinstance(carrier, Polls) or self._ended is not None:
                return False
            if sent is not None and sent > self.received:
                return False
            twice = carrier.posted is not None and sent is None
            held = not (twice or self._inbox.has_room) and any(map(is_message, packets))
            if held:
                carrier.hold(reply, partial(self._post_again, packets, sent, reply))
        if twice:
            self.end(CloseCode.PROTOCOL_ERROR, "two POST requests at once", lingers=False)
            return False
        if held:
            return True
        if not self.take_in(carrier, packets, sent):
            with self._lock:
                if not self._inbox.has_room and carrier is self._carrier:
                    carrier.set_reading(True)  # another one that waits has been taken in, too
                    carrier.posted = reply
                    return True
        if self._incoming.has_failed:
            return False
        reply.give("ok")
        return True

    def _post_again(self, packets: Sequence[Packet], sent: int | None, reply: Reply) -> None:
        """There is room for what a POST has brought."""
        try:
            is_taken = self.post(packets, sent, reply)
        except IsLeaving:
            reply.give("", status=503)
            return
        if not is_taken:
            reply.give("", status=400)

    # What comes

    def take_in(self, carrier: Carrier, packets: Sequence[Packet], sent: int | None = None) -> bool:
        """A carrier has brought packets; whether there is room for more.

        Args:
            sent: how many messages the client had sent before these, if it says so.

        Raises:
            IsLeaving: polls have brought them, and the session is about to go to another process.
        """
        rest, messages, closed = list(packets), list[Message](), None
        has_room = True
        probe = None
        with self._lock:
            if carrier is self._probe.carrier:
                self._hear_probe(rest)
                probe = self._probe.carrier
            if carrier is self._carrier and self._ended is None:
                if isinstance(carrier, Polls):
                    self._transit.check()
                if sent is not None:
                    self._incoming.skip_known(rest, sent)
                closed = self._incoming.sort(rest, messages)
                has_room = self._inbox.put(messages)
                if not has_room:
                    carrier.set_reading(False)
                self._ask_if_much()
            floods = self._inbox.is_overfull
        if probe is not None:
            probe.call_behind(self._release_poll)
        if messages:
            self._inbox.wake()
        self._wake()
        if closed is not None and self._incoming.has_failed:
            self.end(*closed, lingers=False)
        elif closed is not None:
            self.end(*closed, farewell=False)
        elif floods:
            self.fail("the client sends what it has been told to wait with")
        return has_room

    # From one process to another

    def restore(self, content: SessionContent) -> None:
        """Be what another process has had; nothing leaves until ``release``."""
        with self._lock:
            self._transit.hold()
            self.kind = content.kind
            self._outgoing.restore(content.trimmed, content.kept, content.pending)
            self._incoming.received = content.received
            self._controls[:] = content.controls
            self._pulse.unpack(content.pulse, monotonic())
            self._lost_since = content.lost_since

    def place(self, carrier: Carrier) -> None:
        """It was carried there, as it is here."""
        with self._lock:
            self._carrier = carrier
            if not self._inbox.has_room:
                carrier.set_reading(False)

    def suspend(self, can_move: Callable[[CarryingWebSocket], bool]) -> Any:
        """Have nothing sent, and whoever comes wait; a WebSocket that goes with it, if one does."""
        with self._lock:
            self._transit.leave()
            self._probe.stop()
            carrier = self._carrier
            if isinstance(carrier, Polls):
                carrier.finish(CloseCode.NORMAL_CLOSURE, "")  # the next poll finds it where it is
            elif isinstance(carrier, WebSocketCarrier):
                if can_move(carrier.websocket):
                    return carrier.websocket
                self._carrier = None
                self._miss(monotonic())
                carrier.finish(CloseCode.SERVICE_RESTART, "")  # the client comes back
        return None

    def check_stays(self) -> None:
        """See to it that it is this process's.

        Raises:
            IsLeaving: it is about to go to another process.
        """
        with self._lock:
            self._transit.check()

    def when_settled(self, waiter: Waiter) -> bool:
        """Have this called when it has gone, or stays after all; ``False``: it has, or does."""
        with self._lock:
            return self._transit.add_waiter(waiter)

    def miss(self) -> None:
        """Its carrier is lost."""
        with self._lock:
            self._carrier = None
            self._miss(monotonic())

    def let_go(self) -> Waiters:
        """It is another process's: those who wait for that, who are to be woken."""
        with self._lock:
            self._carrier = None
            self._ended = self._ended or (CloseCode.SERVICE_RESTART, "")
            self._conclude()
            return self._transit.settle()

    def stay(self, held: Iterable[HeldFrame]) -> Waiters:
        """It is this process's again, as ``let_go``.

        Args:
            held: what its groups have sent, as far as that was taken out.
        """
        self.release(held)
        with self._lock:
            return self._transit.settle()
