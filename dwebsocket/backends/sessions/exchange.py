"""What goes to one client, whatever carries it, and when that ends.

All of it is done from any thread or greenlet, under a lock that is held for an instant: carriers
never wait. Whoever waits is woken when the lock is free again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any, Protocol

from dwebsocket.backends.inbox import Inbox
from dwebsocket.backends.sessions.carriers import Carrier, Polls, WebSocketCarrier
from dwebsocket.backends.sessions.incoming import Incoming
from dwebsocket.backends.sessions.probing import Probe
from dwebsocket.backends.sessions.pulse import Pulse
from dwebsocket.backends.sessions.transit import Transit
from dwebsocket.backends.slow import TOO_SLOW
from dwebsocket.backends.sockets.holding import NOTHING_KNOWN, HeldFrame, Known
from dwebsocket.backends.waiters import Waiter, Waiters
from dwebsocket.conf import conf
from dwebsocket.protocol.engineio import NOOP, Outgoing, Packet, build_close
from dwebsocket.protocol.frames import CloseCode

__all__ = ["Exchange", "User"]

#: Codes that no Close may hold.
UNSENDABLE = {CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE}

#: Seconds in which a poll may cross the end that its client has sent.
CROSSING = 1.0

#: Packets in the answer to a poll: clients of Engine.IO in Python refuse more.
MAX_PACKETS = 16

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


class Exchange:
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
    """

    __slots__ = (
        *("_carrier", "_controls", "_ended", "_farewell", "_inbox", "_incoming", "_linger_until"),
        *("_lock", "_lost_since", "_outgoing", "_probe", "_pulse", "_room_waiters", "_transit"),
        *("_user", "is_gone", "kind", "owner", "protocol", "resumes", "sid"),
    )

    def __init__(
        self, sid: str, user: User, inbox: Inbox, *, resumes: bool, protocol: str | None
    ) -> None:
        self.sid = sid
        self.kind = "polling"
        self.owner: Any = None
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
        self._probe = Probe()
        self._pulse = Pulse()
        self._incoming = Incoming(self._outgoing, self._pulse, resumes=resumes)
        self._lost_since = monotonic()
        self._ended: tuple[int, str] | None = None
        self.is_gone = False
        self._linger_until = 0.0
        self._room_waiters = Waiters()
        self._transit = Transit()

    @property
    def received(self) -> int:
        """How many messages have come."""
        return self._incoming.received

    def _read_on(self) -> None:
        """There is room again for what comes."""
        again = None
        with self._lock:
            if self._carrier is not None:
                self._carrier.set_reading(True)
            if isinstance(self._carrier, Polls):
                again = self._carrier.take_held()
        if again is not None:
            again()

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
            self.end(*TOO_SLOW, lingers=False)
        return not too_slow

    def send_of_group(self, identity: str | None, *packets: Packet) -> None:
        """Send what a group sends, or says of itself; unless it came to another process before.

        Args:
            identity: what no other message has; ``None``: it has none.
        """
        with self._lock:
            if self._ended is None and self._transit.keep(identity, packets):
                return
        self.send(*packets)

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

    def add_room_waiter(self, waiter: Waiter) -> bool:
        """Have this called when ``wants_room`` may have changed; ``False``: it is not true now."""
        self._room_waiters.add(waiter)
        return self.wants_room() or not self._room_waiters.discard(waiter)

    def discard_room_waiter(self, waiter: Waiter) -> None:
        """Have it called no more."""
        self._room_waiters.discard(waiter)

    def _wake(self) -> None:
        """Wake those who wait for room. Called without the lock."""
        if self._room_waiters and not self.wants_room():
            self._room_waiters.wake()

    def _flush(self) -> None:
        """Have the carrier take what waits. Under the lock, as all that follows."""
        carrier = self._carrier
        if carrier is None or not carrier.is_ready or self._transit.is_held:
            return
        most = None
        if self.kind == "polling" and not self.resumes:
            most = max(0, MAX_PACKETS - 1 - len(self._controls))  # and the farewell
        packets = [*self._controls, *self._outgoing.take(most)]
        self._controls.clear()
        waits = self._outgoing.waits  # for the next poll
        if self._farewell is not None and not waits:
            packets.append(self._farewell)
        if packets:
            carrier.send(packets)
        if self._ended is None:
            self._ask_if_much()
        elif not waits:
            self._conclude()

    def _ask_if_much(self) -> None:
        """Ask the client what it has got, if much is on its way."""
        much = self._outgoing.size * ASKED > conf.MAX_SEND_BUFFER
        asks = self.resumes or self.kind == "websocket"
        if much and asks and not self._pulse.is_asking and self._outgoing.taken:
            self._ask(monotonic())

    def _ask(self, now: float) -> None:
        self._pulse.ask(now, self._outgoing.taken)
        self._controls.append(f"2{self.received}" if self.resumes else "2")
        carrier = self._carrier
        if carrier is not None and carrier.is_ready and not self._transit.is_held:
            carrier.send([self._controls.pop()])

    # The end

    def lose(self, carrier: WebSocketCarrier) -> None:
        """A carrier has ended."""
        code = carrier.close_code
        with self._lock:
            if carrier is self._probe.carrier:
                self._probe.stop()
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
            self._probe.stop()
            polls = self.kind == "polling" and self._carrier is not None
            away = conf.RESUME_TIMEOUT if self.resumes else self._pulse.timeout
            if farewell and (self.resumes or polls):
                self._farewell = build_close(code, reason, tells=self.resumes)
            elif polls and lingers:  # one may be on its way
                self._farewell, away = NOOP, CROSSING
            lingers = lingers and (farewell or polls)
            self._linger_until = monotonic() + away if lingers else 0.0
            if farewell or lingers:
                self._flush()
            if not (self.is_gone or lingers or self._transit.is_held):
                self._conclude()
        self._user._note_end(code, reason)  # first: whoever reads to the end asks why it came
        self._inbox.close()
        self._inbox.wake()
        self._wake()
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

    # From one process to another

    def release(
        self,
        held: Iterable[HeldFrame] = (),
        before: Known = NOTHING_KNOWN,
        *,
        unsent: Iterable[Packet] = (),
        is_too_much: bool = False,
    ) -> None:
        """Let what waits leave again, where it was, or where it has come to.

        Args:
            held: what groups have sent to it there.
            before: what the client had from there before that.
            unsent: what others have.
            is_too_much: whether there was more.
        """
        with self._lock:
            is_too_much = is_too_much or self._transit.is_too_much
            self._outgoing.put_all(unsent)
            self._outgoing.put_all(self._transit.release(held, before))
            self._flush()
        if is_too_much:
            self._user._note_too_slow()
            self.end(*TOO_SLOW, lingers=False)
        self._wake()

    def fail(self, why: str) -> None:
        """The client has broken the protocol."""
        self._incoming.has_failed = True
        self.end(CloseCode.PROTOCOL_ERROR, why, lingers=False)

    # Its time

    def tick(self, now: float) -> None:
        """See what the time says."""
        ends = None
        with self._lock:
            if self._transit.is_held:
                pass  # its time goes on where it goes on
            elif self._ended is not None:
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
