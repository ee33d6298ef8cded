"""One client of the front: what it has sent and nobody has worked on, and whose it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from dwebsocket.backends.gateway.flow import CREDIT_COST, CREDIT_STEP
from dwebsocket.backends.gateway.wire import (
    Kind,
    Packet,
    pack,
    pack_close,
    pack_count,
    pack_json,
    read_close,
    read_json,
)
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.budget import MESSAGE_COST, RESERVE
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.messages import Message

from .websocket import FrontWebSocket

__all__ = ["Answer", "Connection"]


TEXT, BINARY = Kind.TEXT, Kind.BINARY


class Answer(NamedTuple):
    """What a process says to a handshake: a status and headers; with 101 a subprotocol, else a
    body.
    """

    status: int
    headers: list[tuple[str, str]]
    subprotocol: str | None = None
    body: bytes = b""


class Unanswered(NamedTuple):
    """A message that nobody has said to have worked on."""

    number: int
    kind: Kind
    body: bytes


class Owner(Protocol):
    """What is told of a connection; its lock is held in all that is done here, but for what the
    client is sent.
    """

    lock: Any

    def send_to_owner(self, connection: Any, *packets: bytes) -> None: ...
    def let_leave(self) -> None: ...
    def note_end(self, connection: Any) -> None: ...
    def note_slow(self, connection: Any) -> None: ...
    def note_paused(self, connection: Any) -> None: ...


class Connection:
    """The ``Listener`` of one client's WebSocket.

    Attributes:
        answer: is told what a process says to the handshake; ``None``: it has said it.
        closing: how the client's side has ended, once it has.
        has_handler: another process can go on with it.
        id: 16 random bytes.
        owner: the name of the process whose it is; ``None``: it waits for one.
        slow_until: when nobody waits any more for answers to what came before the client's Close.
        until: when it waits no more for a process, ``time.monotonic()``.
        websocket: once the handshake has been accepted, and answered.
    """

    __slots__ = (
        "_acknowledged",
        "_backlog",
        "_cost",
        "_credited",
        "_handshake",
        "_heard",
        "_hub",
        "_is_sent_to",
        "_number",
        "_sent_bytes",
        "_state",
        "_unanswered",
        "_user",
        "answer",
        "calls_anew",
        "closing",
        "has_handler",
        "id",
        "is_accepted",
        "owner",
        "slow_until",
        "stalled",
        "until",
        "websocket",
    )

    def __init__(
        self, hub: Owner, id: bytes, handshake: dict[str, Any], answer: Callable[[Answer], None]
    ) -> None:
        self._hub = hub
        self.id = id
        self._handshake = pack_json(handshake)
        self.answer: Callable[[Answer], None] | None = answer
        self.websocket: FrontWebSocket | None = None
        self.owner: bytes | None = None
        self.closing: tuple[int, str] | None = None
        self.slow_until = self.until = 0.0
        self.has_handler = self.is_accepted = False
        self.calls_anew = self.stalled = False
        self._backlog: list[Packet] | None = None  # what came before the handshake was answered
        self._unanswered: deque[Unanswered] | None = None  # made when something comes
        self._number = self._acknowledged = self._cost = 0
        self._heard = self._sent_bytes = self._credited = 0
        self._is_sent_to = 0  # up to this number a process that is dead now may have worked
        self._state: dict[str, Any] = {}
        self._user: str | None = None

    # The Listener: what the client does

    def receive(self, messages: list[Message]) -> None:
        with self._hub.lock:
            added = [self._add(messages.pop()) for _ in range(len(messages))]
            if self.owner is not None:
                self._deliver(added)
            if self._cost > RESERVE and self.websocket is not None:
                self.websocket._pause(True)
                self._hub.note_paused(self)

    def _add(self, message: Message) -> Unanswered:
        text = isinstance(message, str)
        body = message.encode() if isinstance(message, str) else message
        self._number += 1
        self._cost += len(body) + MESSAGE_COST
        one = Unanswered(self._number, TEXT if text else BINARY, body)
        if self._unanswered is None:
            self._unanswered = deque()
        self._unanswered.append(one)
        return one

    def _deliver(self, messages: Iterable[Unanswered]) -> None:
        self._hub.send_to_owner(self, *map(self._pack, messages))

    def _pack(self, one: Unanswered) -> bytes:
        again = one.number <= self._is_sent_to
        return pack(one.kind, self.id, one.number, body=one.body, redelivered=again)

    def note_read(self) -> None:
        """What has been read of the client has been worked on, whatever it was."""
        self._hub.let_leave()

    @property
    def has_unanswered(self) -> bool:
        """Whether somebody may still answer what has come."""
        return bool(self._unanswered)

    def holds_end(self) -> bool:
        """The client has begun the closing handshake, or broken the protocol; whether answers may
        still come.
        """
        websocket = self.websocket
        assert websocket is not None
        with self._hub.lock:
            if not self._unanswered:
                return False
            if self.owner is not None:
                code, reason = websocket.close_code or 1005, websocket.close_reason or ""
                self._tell_owner(Kind.CLOSE, pack_close(code, reason))
                self._hub.let_leave()
            self._hub.note_slow(self)
        return True

    def end(self) -> None:
        websocket = self.websocket
        code, reason = int(CloseCode.ABNORMAL_CLOSURE), ""
        if websocket is not None:
            code, reason = websocket.close_code or code, websocket.close_reason or ""
        with self._hub.lock:
            self.closing = code, reason
            self._hub.note_end(self)
            self._hub.let_leave()

    # Whose it is

    def give_to(self, name: bytes) -> None:
        """This process has it now."""
        self.owner = name
        self._heard = self._sent_bytes = self._credited = 0
        opening = {
            "resumed": self.is_accepted,
            "state": self._state,
            "user": self._user,
            "number": self._acknowledged,
        }
        body = b'{"handshake":' + self._handshake + b"," + pack_json(opening)[1:]
        self._tell_owner(Kind.OPEN, body)
        self._deliver(self._unanswered or ())
        self.tell_end()

    def forget(self) -> None:
        """Nobody is going to have what is here. What has ended may live on for a while: it refers
        to itself.
        """
        self._unanswered = self._backlog = None
        self._cost = 0

    def tell_end(self) -> None:
        """Tell the process that the client's side has ended, if it has."""
        if self.closing is not None:
            self._tell_owner(Kind.CLOSED, pack_close(*self.closing))

    def take_back(self, *, killed: bool) -> None:
        """It is nobody's.

        Args:
            killed: the process may have worked on what it has not acknowledged.
        """
        self.owner = None
        if killed:
            self._is_sent_to = self._number

    def _tell_owner(self, kind: Kind, body: bytes = b"") -> None:
        self._hub.send_to_owner(self, pack(kind, self.id, body=body))

    # What its process says

    def take_in(self, packet: Packet) -> bool:
        """Do what a packet says; whether it was the next one."""
        with self._hub.lock:
            if packet.number <= self._heard:
                return False
            self._heard = packet.number
            self._acknowledge(packet.acknowledged)
            if packet.kind is Kind.ACCEPT:
                self._note_acceptance(read_json(packet.body))
                return True
            if packet.kind is Kind.BYE:
                self._keep(read_json(packet.body))
                return True
            if packet.kind in (Kind.REFUSE, Kind.ACK):
                return True
            if self._keeps(packet):
                return True
        self._pass_on(packet)
        return True

    def take_in_messages(self, packets: list[Packet]) -> bool:
        """Send messages to the client; whether all of them were the next ones."""
        with self._hub.lock:
            fresh = [packet for packet in packets if packet.number > self._heard]
            if not fresh:
                return False
            self._heard = fresh[-1].number
            kept = self._keeps(*fresh)
        if not kept:
            self._send(fresh)
        with self._hub.lock:  # behind that: a Close may wait for these answers
            self._acknowledge(fresh[-1].acknowledged)
        return len(fresh) == len(packets)

    def _keeps(self, *packets: Packet) -> bool:
        """Whether the packets wait until the handshake has been answered."""
        if self.websocket is None:
            self._backlog = [*(self._backlog or ()), *packets]
        return self.websocket is None

    def _note_acceptance(self, content: dict[str, Any]) -> None:
        self._user = content["user"]
        self.has_handler = bool(content["handler"])
        self.is_accepted = True
        headers = [(str(name), str(value)) for name, value in content["headers"]]
        self._answer(Answer(101, headers, content["subprotocol"]))

    def _answer(self, answer: Answer) -> None:
        tell, self.answer = self.answer, None
        if tell is not None:
            tell(answer)

    def refuse(self, answer: Answer) -> None:
        """It is not accepted: not at all, or not by the process that was to go on with it."""
        if not self.is_accepted:
            self._answer(answer)
        elif self.websocket is not None:
            gone = 300 <= answer.status < 500
            code = CloseCode.POLICY_VIOLATION if gone else CloseCode.SERVICE_RESTART
            self.close(code, "")

    def _keep(self, content: dict[str, Any]) -> None:
        state = content["state"]
        if not isinstance(state, dict):
            raise ValueError("no state")
        self._state, self._user = state, content["user"]

    def _acknowledge(self, number: int) -> None:
        unanswered = self._unanswered
        if unanswered is None:
            return
        while unanswered and unanswered[0].number <= number:
            one = unanswered.popleft()
            self._acknowledged = one.number
            self._cost -= len(one.body) + MESSAGE_COST
        if not unanswered:
            self._unanswered = None
        websocket = self.websocket
        if websocket is not None and self._cost <= RESERVE:
            websocket._pause(False) if unanswered else self._go_on(websocket)

    def _go_on(self, websocket: FrontWebSocket) -> None:
        """All has been worked on."""
        websocket._answer_end()
        websocket._pause(False)

    def _pass_on(self, packet: Packet) -> None:
        """Do to the client what its process says. Never waits."""
        websocket, kind = self.websocket, packet.kind
        assert websocket is not None
        try:
            if kind is TEXT or kind is BINARY:
                self._send([packet])
            elif kind is Kind.PING:
                websocket._ping(packet.body)
            elif kind is Kind.CLOSE:
                self.close(*read_close(packet.body))
            elif kind is Kind.ABORT:
                websocket._lose("the view has given up on the peer")
        except ConnectionClosed:
            pass  # its end tells the process

    def _send(self, packets: list[Packet]) -> None:
        """Send messages to the client. Never waits."""
        websocket = self.websocket
        assert websocket is not None
        try:
            websocket._send_many(packets)
        except ConnectionClosed:
            return
        self._sent_bytes += sum(len(packet.body) + CREDIT_COST for packet in packets)
        if self._sent_bytes - self._credited >= CREDIT_STEP:
            self.give_credit()

    def give_credit(self) -> bool:
        """Tell the process how much the client has taken; whether that is all."""
        websocket = self.websocket
        if websocket is None or self.owner is None:
            return True
        waiting = websocket._count_waiting()
        taken = max(0, self._sent_bytes - waiting)
        if taken - self._credited >= CREDIT_STEP or (taken > self._credited and not waiting):
            self._credited = taken
            with self._hub.lock:
                if self.owner is not None:
                    self._tell_owner(Kind.CREDIT, pack_count(taken))
                    self._hub.let_leave()
        if waiting:
            self._hub.note_slow(self)
        return not waiting

    def check_paused(self) -> bool:
        """Whether nothing is read of the client still; if it has hung up, it is let go."""
        websocket = self.websocket
        if websocket is None or not websocket._is_paused:
            return False
        if not websocket._transport.is_hung_up():
            return True
        websocket._lose("the peer hung up")
        websocket._pause(False)
        return False

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, or answer that of the client."""
        websocket = self.websocket
        if websocket is not None:
            websocket._answer_end()
            websocket.close_connection(code, reason, conf.CLOSE_TIMEOUT)

    # The handshake is answered

    def open(self, websocket: FrontWebSocket) -> None:
        """The client is here from now on."""
        start = websocket._pass_on(self)
        with self._hub.lock:
            self.websocket = websocket
        start()
        while True:
            with self._hub.lock:
                backlog, self._backlog = self._backlog, None
            if not backlog:
                return
            for packet in backlog:
                self._pass_on(packet)
