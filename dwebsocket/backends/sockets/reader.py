"""The reading half of a WebSocket over a transport: what is read is fed to the protocol. One thread
or greenlet at a time reads: the holder of the WebSocket's ``_read_lock``.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import Any, Protocol

from dwebsocket.backends.sockets.parts import Outgoing
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.budget import cost_of
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.messages import Message
from dwebsocket.protocol.state import ConnectionState, Reading, Writing
from dwebsocket.transports import Transport
from dwebsocket.transports.base import remaining

__all__ = ["MAX_DISCARDED", "Owner", "Reader"]

#: Bytes thrown away after the end, before we hang up whatever else comes.
MAX_DISCARDED = 1 << 24

#: A socket that has been polled within so many seconds is not polled again for a send.
POLL_INTERVAL = 1.0

#: Seconds without a byte after which the peer of a connection that cannot be ended in one direction
#: is taken to have sent all that it was about to send.
PAUSE = 0.2

#: What a greenlet works through before others have their turn: a usual large frame, and more.
TURN = 65536 + 2048


class Owner(Protocol):
    """The WebSocket."""

    _read_lock: Any
    _ready: list[Message]

    @property
    def _answers_later(self) -> bool:
        """Whether what came in earlier reads may still be answered."""
        ...

    def end(self, code: int, reason: str) -> bool: ...
    def _lose(self, reason: str) -> None: ...
    def _check_accepted(self) -> None: ...
    def _closed_error(self) -> ConnectionClosed: ...


class Reader:
    """Receives messages.

    Attributes:
        answering: until when answers to what came before the end may be sent, ``time.monotonic()``.
        connection: the protocol.
        last_polled: when the socket was last asked whether something has come.
        last_received: when something had.
        outgoing: sends the answers.
        transport: from the handshake on.
    """

    __slots__ = (
        "_owner",
        "_state",
        "answering",
        "connection",
        "last_polled",
        "last_received",
        "outgoing",
        "transport",
    )

    outgoing: Outgoing
    transport: Transport

    def __init__(self, owner: Owner, state: ConnectionState, connection: ServerConnection) -> None:
        self._owner = owner
        self._state = state
        self.answering = 0.0
        self.connection = connection
        self.last_polled = self.last_received = inf

    def take(self, transport: Transport) -> None:
        """Read from this transport from now on."""
        self.transport = transport
        self.last_polled = self.last_received = monotonic()

    # Receiving

    def receive_once(self) -> list[Message]:
        """The messages that one read completes, or the next ones of an earlier read."""
        connection = self.connection
        if connection.rest:
            return self.receive_rest(reading=True, turn=self.turn)
        try:
            received = self.transport.try_receive()
        except OSError as error:
            self._owner._lose(f"the connection broke: {error}")
            return []
        if received is None:
            return []
        buffer, count = received
        if count > TURN:
            return self.feed(buffer, count, True, turn=self.turn)
        messages = connection.receive_data(buffer, count)
        if not count or connection.finished or connection.replies:
            return self._receive_more(count, messages, bool(messages))
        self.last_received = monotonic()
        return messages

    def receive_available(self, *, reading: bool = True) -> list[Message]:
        """What has arrived, without waiting.

        Args:
            reading: whether somebody has asked for it; otherwise it comes as far as the budget
                goes.
        """
        messages: list[Message] = []
        self.last_polled = monotonic()
        spent = cost_of(self._owner._ready)
        while not self._state.reading:
            if self.connection.rest:
                found = self.receive_rest(reading=reading, found=bool(messages), spent=spent)
            else:
                try:
                    received = self.transport.try_receive()
                except OSError as error:
                    self._owner._lose(f"the connection broke: {error}")
                    break
                if received is None:
                    break
                found = self.feed(*received, reading, bool(messages), spent)
            messages += found
            spent += cost_of(found)
            if self.connection.rest:  # the budget has come to its end
                if self.transport.is_hung_up():
                    self._owner._lose("the peer hung up")
                break
        return messages

    def poll_if_due(self) -> None:
        """Take in what has arrived, unless that was done a moment ago."""
        if monotonic() - self.last_polled > POLL_INTERVAL:
            self.poll()

    def poll(self) -> None:
        """Take in what has arrived, on behalf of a view that does not read at the moment."""
        owner = self._owner
        if owner._read_lock.acquire(False):
            try:
                messages = self.receive_available(reading=False)
                messages.reverse()
                owner._ready[:0] = messages
            finally:
                owner._read_lock.release()

    @property
    def turn(self) -> int:
        """Bytes that are worked through before others have their turn; 0: they have it anyway."""
        return TURN if self.transport.calls_anew else 0

    # The protocol

    def feed(
        self,
        buffer: bytes | bytearray,
        count: int,
        reading: bool,
        found: bool = False,
        spent: int = 0,
        turn: int = 0,
    ) -> list[Message]:
        """The messages that ``count`` bytes complete.

        Args:
            reading: whether somebody has asked for messages.
            found: whether there are some of an earlier read for that one.
            spent: what the messages cost that nobody has taken yet.
            turn: bytes that are worked through now; 0: all.
        """
        messages = self.connection.receive_data(buffer, count, spent, turn)
        return self._receive_more(count, messages, reading and (found or bool(messages)))

    def receive_rest(
        self, *, reading: bool, found: bool = False, spent: int = 0, turn: int = 0
    ) -> list[Message]:
        """The same with what is left of an earlier read."""
        messages = self.connection.receive_rest(spent, turn)
        return self._receive_more(1, messages, reading and (found or bool(messages)))

    def _receive_more(self, count: int, messages: list[Message], answering: bool) -> list[Message]:
        """What a read brought besides messages: a hang-up, Pings, an end."""
        if not count:
            self._owner._lose("the peer hung up")
            return []
        self.last_received = monotonic()
        connection, unwanted = self.connection, self._state.writing
        if connection.replies:
            replies, connection.replies = connection.replies, []
            self.outgoing.reply(replies)
        if connection.finished:
            self._receive_end(answering=answering)
        return [] if unwanted else messages

    # The end

    def _receive_end(self, *, answering: bool) -> None:
        """A Close, or a breach of the protocol: answers to what came before it may still leave."""
        why = self.connection.close or self.connection.failure
        if why is not None:
            self._owner.end(why.code, why.reason)
        self._state.stop_reading(Reading.CLOSING)
        if answering or self._owner._answers_later:
            self.answering = monotonic() + conf.CLOSE_TIMEOUT
        else:
            self.reply_close()

    def check_may_answer(self, now: float) -> None:
        """Raise unless answers to what came before the end may still be sent.

        Raises:
            ConnectionClosed: they may not.
            InvalidState: the WebSocket is not accepted yet.
        """
        self._owner._check_accepted()
        if now > self.answering:
            self.reply_close()
            raise self._owner._closed_error()

    def end_answers(self) -> None:
        """Answer the peer's Close: all that came before it has been answered."""
        self.answering = 0.0
        self.reply_close()

    def reply_close(self, deadline: float | None = None) -> None:
        """Answer the peer's Close, or its breach of the protocol (RFC 6455, 5.5.1 and 7.1.7)."""
        if self._state.writing >= Writing.CLOSE_SENT:
            return
        frame = self.connection.build_answer()
        if frame is not None:
            self.outgoing.close(frame, deadline)

    def wait_for_end(self, deadline: float) -> None:
        """Read until the peer's Close, throwing away what comes before it (RFC 6455, 7.1.1)."""
        lock = self._owner._read_lock
        if not lock.acquire(timeout=remaining(deadline)):
            return
        try:
            rest = MAX_DISCARDED
            while not self._state.reading and rest > 0:
                if self.connection.rest:
                    self.receive_rest(reading=False)
                    continue
                buffer, count = self.transport.receive(deadline)
                rest -= count
                self.feed(buffer, count, reading=False)
            if self.connection.failure is not None and self._state.writing != Writing.LOST:
                self._linger(deadline, rest)
        except OSError:
            pass
        finally:
            lock.release()

    def _linger(self, deadline: float, rest: int) -> None:
        """After a breach nothing can be parsed: hang up without tearing our Close away from the
        peer, as closing with unread input would (RFC 6455, 7.1.1).

        Args:
            rest: bytes to throw away at most.
        """
        transport = self.transport
        transport.shutdown_writing()
        while rest > 0:
            until = deadline if transport.half_closes else min(deadline, monotonic() + PAUSE)
            _, count = transport.receive(until)
            if not count:
                return
            rest -= count
