"""A session: what is sent to one client and received from it, whatever carries that.

All of it is done from any thread or greenlet, under a lock that is held for an instant: carriers
never wait. Whoever waits is woken when the lock is free again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.carriers import Carrier, Polls, WebSocketCarrier
from dwebsocket.backends.sessions.inbox import Inbox
from dwebsocket.backends.sessions.pulse import Pulse
from dwebsocket.conf import conf
from dwebsocket.protocol.engineio import (
    NOOP,
    PROBE,
    PROBED,
    UPGRADE,
    InvalidPacket,
    Outgoing,
    Packet,
    WrongCount,
    as_message,
    build_close,
    build_open,
    decode_text,
    is_message,
    parse_close,
    parse_count,
)
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.websocket import Message

__all__ = ["Session", "User"]

#: Codes that no Close may hold.
UNSENDABLE = {CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE}

#: Seconds in which a poll may cross the end that its client has sent.
CROSSING = 1.0

#: This part of WEBSOCKET_MAX_SEND_BUFFER may be on its way before the client is asked what it has
#: got.
ASKED = 8


class User(Protocol):
    """What uses the session: the WebSocket of a view or a handler."""

    def _note_end(self, code: int, reason: str) -> None:
        """It has ended."""

    def _note_too_slow(self) -> None:
        """It ends because too much waits."""

    def _note_time(self, now: float) -> None:
        """A clock looks after it."""

    @property
    def _awaits_positions(self) -> bool:
        """Whether the client has brought positions, and is told later whether something is
        missing.
        """
        ...


class Session:
    """One client's.

    Args:
        sid: names it.
        resumes: whether the client is one of ours, which counts, and comes back.
        protocol: the subprotocol.

    Attributes:
        is_gone: nothing is left to say.
        kind: of the carrier that is there, or was there last.
        owner: who may come with further carriers, as ``upgrade`` has it.
        protocol: the subprotocol.
        received: how many messages have come.
    """

    __slots__ = (
        *("_carrier", "_controls", "_ended", "_farewell", "_has_failed", "_inbox", "_is_probed"),
        *("_linger_until", "_lock", "_lost_since", "_outgoing", "_probe", "_pulse"),
        *("_room_waiters", "_user", "is_gone", "kind", "owner", "protocol", "received", "resumes"),
        "sid",
    )

    _has_failed: bool  # the client has broken the protocol

    def __init__(
        self, sid: str, user: User, inbox: Inbox, *, resumes: bool, protocol: str | None
    ) -> None:
        self.sid = sid
        self.kind = "polling"
        self.owner: Any = None
        self.received = 0
        self.resumes = resumes
        self._user = user
        self._inbox = inbox
        inbox.on_room = self._read_on
        self.protocol = protocol
        self._lock = threading.Lock()
        self._outgoing = Outgoing(keeps=resumes)
        self._controls: list[Packet] = []  # in front of messages
        self._farewell: Packet | None = None  # behind them
        self._carrier: Carrier | None = None
        self._probe: WebSocketCarrier | None = None  # that may become the carrier
        self._is_probed = self._has_failed = False
        self._pulse = Pulse()
        self._lost_since = monotonic()
        self._ended: tuple[int, str] | None = None
        self.is_gone = False
        self._linger_until = 0.0
        self._room_waiters: list[Callable[[], object]] = []

    # Carriers come

    def adopt(self, carrier: Carrier, received: int | None = None) -> None:
        """Go on with this carrier.

        Args:
            received: how many messages the client has got; ``None``: it is the first carrier.

        Raises:
            WrongCount: so many were not sent.
        """
        with self._lock:
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

    def _build_open(self, *, coming_back: bool) -> Packet:
        values: dict[str, Any] = {
            "sid": self.sid,
            "upgrades": ["websocket"] if self.kind == "polling" else [],
            "pingInterval": round(self._pulse.interval * 1000),
            "pingTimeout": round(self._pulse.timeout * 1000),
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
        """A WebSocket asks whether it may carry on what polls have begun; if not it is closed."""
        with self._lock:
            may = isinstance(self._carrier, Polls) and self._probe is None and self._ended is None
            if may:
                self._probe, self._is_probed = carrier, False
        if not may:
            carrier.finish(CloseCode.NORMAL_CLOSURE, "")

    def _answer_probe(
        self, carrier: WebSocketCarrier, packets: list[Packet]
    ) -> WebSocketCarrier | None:
        """What comes on a probe, of which all is taken out, up to the upgrade; the carrier, if it
        still is a probe then.
        """
        while packets and self._probe is carrier:
            packet = packets.pop(0)
            if packet == PROBE:
                self._is_probed = True
                carrier.send([PROBED])
            elif packet == UPGRADE or (self.resumes and self._may_upgrade(packet)):
                old, self._carrier, self._probe = self._carrier, carrier, None
                self.kind = carrier.kind
                if isinstance(old, Polls):
                    old.refuse()
                self._flush()
            else:
                self._probe = None
                carrier.finish(CloseCode.PROTOCOL_ERROR, "")
        return self._probe

    def _may_upgrade(self, packet: Packet) -> bool:
        """Whether it says how many messages the client has got, which goes on from there: the last
        poll that was answered may not have been the client's last one.
        """
        text = str(packet)
        try:
            count = parse_count(text[1:]) if text[:1] == UPGRADE else None
        except InvalidPacket:
            return False
        if count is None or not self.may_rewind(count):
            return False
        self._outgoing.rewind(count)
        return True

    def _release_poll(self) -> None:
        """Answer a poll that waits: its client changes over to a WebSocket when it has that."""
        with self._lock:
            if self._probe is not None and isinstance(self._carrier, Polls):
                self._carrier.send([NOOP])

    # Polls

    def poll(self, reply: Reply, after: int | None) -> bool:
        """A GET that is answered when there is something to say; ``False``: it is refused.

        Args:
            after: how many messages the client has got, if it says so.
        """
        with self._lock:
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
            probe = self._probe if self._is_probed else None
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
        """
        with self._lock:
            carrier = self._carrier
            if not isinstance(carrier, Polls) or self._ended is not None:
                return False
            if sent is not None and sent > self.received:
                return False
            twice = carrier.posted is not None and sent is None
        if twice:
            self.end(CloseCode.PROTOCOL_ERROR, "two POST requests at once", lingers=False)
            return False
        skipped = 0 if sent is None else self.received - sent
        if skipped:
            packets = without_first(packets, skipped)
        if not self.take_in(carrier, packets):
            with self._lock:
                if not self._inbox.has_room and carrier is self._carrier:
                    carrier.posted = reply
                    return True
        if self._has_failed:
            return False
        reply.give("ok")
        return True

    # What comes

    def take_in(self, carrier: Carrier, packets: Sequence[Packet]) -> bool:
        """A carrier has brought packets; whether there is room for more."""
        rest, messages, closed = list(packets), list[Message](), None
        probe = None
        has_room = True
        with self._lock:
            if carrier is self._probe:
                probe = self._answer_probe(self._probe, rest)
            if carrier is self._carrier and self._ended is None:
                closed = self._sort(rest, messages)
                self.received += len(messages)
                has_room = self._inbox.put(messages)
                if not has_room:
                    carrier.set_reading(False)
        if probe is not None:
            probe.call_behind(self._release_poll)
        if messages:
            self._inbox.wake()
        self._wake()
        if closed is not None and self._has_failed:
            self.end(*closed, lingers=False)
        elif closed is not None:
            self.end(*closed, farewell=False)
        return has_room

    def _sort(self, packets: Sequence[Packet], messages: list[Message]) -> tuple[int, str] | None:
        """Put what are messages into the list, and obey the rest; why the session ends, if it
        does.
        """
        try:
            for given in packets:
                packet = decode_text(given) if isinstance(given, str) else given
                if is_message(packet):
                    messages.append(as_message(packet))
                else:
                    closed = self._obey(str(packet))
                    if closed is not None:
                        return closed
        except (InvalidPacket, WrongCount) as error:
            self._has_failed = True
            return CloseCode.PROTOCOL_ERROR, str(error)
        return None

    def _obey(self, packet: str) -> tuple[int, str] | None:
        """A packet that is no message; why the session ends, if it says that."""
        kind = packet[:1]
        if kind == "3":
            count = parse_count(packet[1:]) if self.resumes else None
            mark = self._pulse.answer()
            if count is not None:
                self._outgoing.trim(count)
            elif mark is not None and not self.resumes:
                self._outgoing.trim(mark)
            self._ask_if_much()
            self._flush()
        elif kind == "1":
            return parse_close(packet)
        elif kind != NOOP and not (self.resumes and kind in ("7", "8")):
            raise InvalidPacket(f"a packet of type {kind!r}")
        return None

    def _read_on(self) -> None:
        """There is room again for what comes."""
        with self._lock:
            if self._carrier is not None:
                self._carrier.set_reading(True)

    # What goes

    @property
    def waiting(self) -> int:
        """Bytes that the client may not have got."""
        return self._outgoing.size

    def send(self, *packets: Packet) -> bool:
        """Send a message, or let it wait; several stay together. ``False``: the session has ended,
        or does now, for too much waits.
        """
        with self._lock:
            if self._ended is not None:
                return False
            too_slow = self._outgoing.size > conf.MAX_SEND_BUFFER
            if not too_slow:
                for packet in packets:
                    self._outgoing.put(packet)
                self._flush()
        if too_slow:
            self._user._note_too_slow()
            self.end(CloseCode.TRY_AGAIN_LATER, "the peer reads too slowly", lingers=False)
        return not too_slow

    def tell(self, packet: Packet) -> None:
        """Send what is no message, in front of those that wait."""
        with self._lock:
            if self._ended is None:
                self._controls.append(packet)
                self._flush()

    def wants_room(self) -> bool:
        """Whether who may wait should: much is on its way."""
        size, carrier = self._outgoing.size, self._carrier
        return self._ended is None and carrier is not None and size > conf.MAX_SEND_BUFFER // 2

    def add_room_waiter(self, waiter: Callable[[], object]) -> bool:
        """Have this called when ``wants_room`` may have changed; ``False``: it is not true now."""
        with self._lock:
            if not self.wants_room():
                return False
            self._room_waiters.append(waiter)
            return True

    def discard_room_waiter(self, waiter: Callable[[], object]) -> None:
        """Have it called no more."""
        with self._lock:
            if waiter in self._room_waiters:
                self._room_waiters.remove(waiter)

    def _wake(self) -> None:
        """Wake those who wait for room. Called without the lock."""
        if self._room_waiters and not self.wants_room():
            with self._lock:
                waiters, self._room_waiters = self._room_waiters, []
            for waiter in waiters:
                waiter()

    def _flush(self) -> None:
        """Have the carrier take what waits. Under the lock, as all that follows."""
        carrier = self._carrier
        if carrier is None or not carrier.is_ready:
            return
        packets = [*self._controls, *self._outgoing.take()]
        self._controls.clear()
        if self._farewell is not None:
            packets.append(self._farewell)
        if packets:
            carrier.send(packets)
        if self._ended is not None:
            self._conclude()
        else:
            self._ask_if_much()

    def _ask_if_much(self) -> None:
        """Ask the client what it has got, if much is on its way."""
        much = self._outgoing.size * ASKED > conf.MAX_SEND_BUFFER
        asks = self.resumes or self.kind == "websocket"
        if much and asks and not self._pulse.is_asking and self._outgoing.taken:
            self._ask(monotonic())

    def _ask(self, now: float) -> None:
        self._pulse.ask(now, self._outgoing.taken)
        self._controls.append(f"2{self.received}" if self.resumes else "2")
        if self._carrier is not None and self._carrier.is_ready:
            self._carrier.send([self._controls.pop()])

    # The end

    def lose(self, carrier: WebSocketCarrier) -> None:
        """A carrier has ended."""
        code = carrier.close_code
        with self._lock:
            if carrier is self._probe:
                self._probe = None
            if carrier is not self._carrier:
                return
            self._carrier = None
            waits = self.resumes and conf.RESUME_TIMEOUT > 0 and code != CloseCode.SERVICE_RESTART
            self._miss(monotonic())
        if not waits:
            known = code if code is not None else CloseCode.ABNORMAL_CLOSURE
            self.end(known, "", farewell=False)
        self._wake()

    def _miss(self, now: float) -> None:
        """No carrier is there, from now on."""
        self._lost_since = now
        self._controls.clear()
        self._pulse.stop()

    def end(self, code: int, reason: str, *, farewell: bool = True, lingers: bool = True) -> bool:
        """End the session; whether it had not.

        Args:
            farewell: whether the client is told.
            lingers: whether one that is not there just now is told when it comes.
        """
        with self._lock:
            if self._ended is not None:
                return False
            self._ended = code, reason
            if self._probe is not None:
                self._probe.finish(CloseCode.NORMAL_CLOSURE, "")
            self._inbox.close()
            polls = self.kind == "polling" and self._carrier is not None
            away = conf.RESUME_TIMEOUT if self.resumes else self._pulse.timeout
            if farewell and (self.resumes or polls):
                self._farewell = build_close(code, reason, tells=self.resumes)
            elif polls and lingers:  # one may be on its way
                self._farewell, away = NOOP, CROSSING
            lingers = lingers and (farewell or polls)
            self._linger_until = monotonic() + away
            if farewell or lingers:
                self._flush()
            if not (self.is_gone or lingers):
                self._conclude()
        self._inbox.wake()
        self._wake()
        self._user._note_end(code, reason)
        return True

    def _conclude(self) -> None:
        """Nothing is left to say."""
        assert self._ended is not None
        code, reason = self._ended
        self.is_gone = True
        self._outgoing.drop()
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.finish(CloseCode.NORMAL_CLOSURE if code in UNSENDABLE else code, reason)

    def fail(self, why: str) -> None:
        """The client has broken the protocol."""
        self._has_failed = True
        self.end(CloseCode.PROTOCOL_ERROR, why, lingers=False)

    # Its time

    def tick(self, now: float) -> None:
        """See what the time says."""
        ends = None
        with self._lock:
            if self._ended is not None:
                if now >= self._linger_until and not self.is_gone:
                    self._conclude()
            elif self._carrier is None:
                if now >= self._lost_since + conf.RESUME_TIMEOUT:
                    ends = "the client did not come back"
            elif self._pulse.is_silent(now):
                ends = "the client did not answer a ping"
                if self.resumes and conf.RESUME_TIMEOUT > 0:
                    ends = None
                    carrier, self._carrier = self._carrier, None
                    carrier.finish(CloseCode.NORMAL_CLOSURE, "")
                    self._miss(now)
            else:
                if self._pulse.is_due(now):
                    self._ask(now)
                if isinstance(self._carrier, Polls):
                    self._carrier.tick(now)
        if ends is not None:
            self.end(CloseCode.ABNORMAL_CLOSURE, ends, farewell=False, lingers=False)
        self._wake()
        self._user._note_time(now)


def without_first(packets: Sequence[Packet], count: int) -> list[Packet]:
    """These packets, without the first ``count`` messages of them."""
    kept = []
    for packet in packets:
        if count and is_message(packet):
            count -= 1
        else:
            kept.append(packet)
    return kept
