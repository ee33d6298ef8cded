"""One connection as a process with handlers sees it: what came and what went, numbered."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any, Protocol

from dwebsocket.backends.inbox import Inbox
from dwebsocket.conf import conf
from dwebsocket.protocol.messages import Message

from .link import Link
from .wire import Kind, Packet, pack, pack_close

__all__ = ["CREDIT_COST", "CREDIT_STEP", "Flow", "User"]

#: Bytes counted for each message on its way to the client, besides its own: what it takes while it
#: waits, in ZeroMQ above all.
CREDIT_COST = 160

#: Bytes that a client has taken before the process that sent them is told so.
CREDIT_STEP = 32768

TEXT = Kind.TEXT

#: What all wait for that wait for the front: bytes that a client has taken, or its end. Such waits
#: are few.
credited = threading.Condition()


class User(Protocol):
    """The WebSocket of a connection, which is told what the front says."""

    def _note_end(self, code: int, reason: str, *, may_answer: bool) -> None: ...


class Flow:
    """What is known here of one connection.

    Attributes:
        content: what the front said when it gave us the connection.
        id: the connection's.
        inbox: what has come.
        closing: how it ends, and whether answers may still be sent, once the front has said so.
        is_over: nothing can be sent any more.
        is_given_back: it is not ours any more.
        before: how many messages others have worked on.
        received: how many have come, here and there.
        taken: how many of them somebody has taken.
        redelivered: up to this message a process that was killed may have worked on them.
        user: its WebSocket, once there is one.
    """

    __slots__ = (
        "_acknowledged",
        "_credit",
        "_link",
        "_sent",
        "_sent_bytes",
        "_worked_on",
        "before",
        "closing",
        "content",
        "id",
        "inbox",
        "is_given_back",
        "is_over",
        "received",
        "redelivered",
        "taken",
        "user",
    )

    def __init__(self, link: Link, connection: bytes, content: dict[str, Any]) -> None:
        self._link = link
        self.id = connection
        self.content = content
        self.inbox = Inbox(threading.Lock, conf.MAX_MESSAGE_SIZE)
        self.user: User | None = None
        self.is_over = self.is_given_back = False
        self.closing: tuple[int, str, bool] | None = None
        self.before = self._worked_on = self._acknowledged = int(content.get("number", 0))
        self.received = self.taken = self.before
        self.redelivered = 0
        self._sent = self._sent_bytes = self._credit = 0

    @property
    def is_resumed(self) -> bool:
        """Whether another process had it before us."""
        return bool(self.content.get("resumed"))

    # From the front

    def take_in(self, packet: Packet) -> bool:
        """A message has come; whether it is the next one."""
        if packet.number != self.received + 1:
            return False
        message: Message = packet.body.decode() if packet.kind is TEXT else packet.body
        self.received += 1
        if packet.redelivered:
            self.redelivered = packet.number
        self.inbox.put([message])
        self.inbox.wake()
        return True

    def take(self) -> Message | None:
        """The next message, if one is here."""
        message = self.inbox.take()
        if message is not None:
            self.taken += 1
        return message

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is here, and nothing more comes."""
        return self.inbox.is_closed and self.inbox.is_empty

    def add_credit(self, taken: int) -> None:
        """The client has taken so many bytes."""
        self._credit = max(self._credit, taken)
        with credited:
            credited.notify_all()

    # To the front

    def send(self, kind: Kind, body: bytes = b"") -> None:
        """Send a packet, which acknowledges what has been worked on. From any thread."""
        self._sent_bytes += len(body) + CREDIT_COST
        self._link.send(kind, body, self)

    def build(self, kind: Kind, body: bytes) -> bytes:
        """See ``Sender``."""
        if self.is_given_back:
            return b""  # it has another owner
        self.is_given_back = kind is Kind.BYE  # what was sent before is still ours to say
        self._sent += 1
        worked_on = self._acknowledged = self._worked_on
        return pack(kind, self.id, self._sent, worked_on, body)

    def close(self, code: int, reason: str) -> None:
        """Have the front begin the closing handshake."""
        self.send(Kind.CLOSE, pack_close(code, reason))

    def note_worked_on(self) -> None:
        """All messages that were taken have been worked on."""
        if self.taken > self._worked_on:
            self._worked_on = self.taken
            self._link.tell_worked_on(self)

    def acknowledge(self) -> None:
        """See ``Sender``."""
        if self._worked_on > self._acknowledged and not (self.is_over or self.is_given_back):
            self.send(Kind.ACK)

    # Bounds

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken, as far as we know."""
        return max(0, self._sent_bytes - self._credit)

    def wait_for_room(self, most: int, timeout: float | None) -> bool:
        """Wait until at most so many bytes wait, or the connection is over; ``False``: the client
        took too long to take anything.
        """
        with credited:
            while self.waiting > most and not self.is_over:
                before = self._credit
                until = None if timeout is None else monotonic() + timeout
                while self._credit == before and not self.is_over:
                    left = None if until is None else until - monotonic()
                    if left is not None and left <= 0:
                        return False
                    credited.wait(left)
        return True

    def wait_until_over(self, timeout: float) -> None:
        """Wait until the front has said that the connection has ended."""
        with credited:
            credited.wait_for(lambda: self.is_over, timeout)

    def end(self) -> None:
        """It is over: wake all who wait for it. Idempotent."""
        self.is_over = True
        with credited:
            credited.notify_all()
